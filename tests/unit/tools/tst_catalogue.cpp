// SPDX-License-Identifier: GPL-3.0-or-later
#include <QTemporaryDir>
#include <QTest>

#include "core/catalogue/catalogue.h"

using namespace lockstep;

class TestCatalogue : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void shipped();
    void malformed_data();
    void malformed();
    void modelsFolder_data();
    void modelsFolder();
};

void TestCatalogue::shipped() {
    const auto models = read_catalogue(data_file("models.json"));
    QVERIFY2(models.has_value(), models ? "" : models.error().message.c_str());
    QVERIFY(!models->empty());
    for (const CatalogueModel& model : *models) {
        QVERIFY(!model.title.empty());
        QVERIFY(!model.licence.empty());
        QVERIFY(!model.description.empty());
        QCOMPARE(model.sha256.size(), std::size_t{64});
    }
    QVERIFY(std::filesystem::exists(data_file("fetch_model")));
}

void TestCatalogue::malformed_data() {
    QTest::addColumn<QByteArray>("json");
    QTest::newRow("empty") << QByteArray();
    QTest::newRow("object") << QByteArray("{}");
    QTest::newRow("number") << QByteArray("[1]");
    QTest::newRow("cut off") << QByteArray("[{\"name\": \"a\"");
    QTest::newRow("no size") << QByteArray(R"([{"name": "a", "file": "b"}])");
    QTest::newRow("size is text") << QByteArray(R"([{"name": "a", "file": "b", "size": "1"}])");
    QTest::newRow("name is a number") << QByteArray(R"([{"name": 1, "file": "b", "size": 1}])");
}

void TestCatalogue::malformed() {
    QFETCH(QByteArray, json);
    QTemporaryDir folder;
    QFile file(folder.filePath(QStringLiteral("models.json")));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(json);
    file.close();
    const auto models = read_catalogue(file.fileName().toStdString());
    QVERIFY(!models);
    QVERIFY2(models.error().message.find("models.json") != std::string::npos,
             models.error().message.c_str());
}

void TestCatalogue::modelsFolder_data() {
    QTest::addColumn<QByteArray>("models");
    QTest::addColumn<QByteArray>("data");
    QTest::addColumn<QByteArray>("expected");
    QTest::newRow("LOCKSTEP_MODELS") << QByteArray("/m") << QByteArray("/d") << QByteArray("/m");
    QTest::newRow("XDG_DATA_HOME")
        << QByteArray() << QByteArray("/d") << QByteArray("/d/lockstep/models");
    QTest::newRow("neither") << QByteArray() << QByteArray()
                             << QByteArray("/home/me/.local/share/lockstep/models");
}

void TestCatalogue::modelsFolder() {
    QFETCH(QByteArray, models);
    QFETCH(QByteArray, data);
    QFETCH(QByteArray, expected);
    qputenv("LOCKSTEP_MODELS", models);
    qputenv("XDG_DATA_HOME", data);
    qputenv("HOME", "/home/me");
    QCOMPARE(QByteArray::fromStdString(default_models_folder().string()), expected);
}

QTEST_APPLESS_MAIN(TestCatalogue)
#include "tst_catalogue.moc"
