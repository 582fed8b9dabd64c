// SPDX-License-Identifier: GPL-3.0-or-later
// Opens models, good and bad, in the real window.
#include <QMimeData>
#include <QPushButton>

#include "tests/gui/window_fixture.h"
#include "ui/models/start_page.h"

using namespace lockstep;
using namespace lockstep::test;

class TestWindowModels : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void firstStart();
    void opensADefaultModelThatIsThere();
    void lastModelOpensAgain();
    void badModelKeepsTheOld_data();
    void badModelKeepsTheOld();
    void badModelWithoutAnother();
    void loadCancelled();
    void droppedFileOpens();
    void otherContext();
    void otherDtype();
};

void TestWindowModels::firstStart() {
    WindowFixture fixture;
    MainWindow& window = fixture.open();
    QVERIFY(window.findChild<StartPage*>()->isVisible());
    QVERIFY(!window.chat()->isVisible());
    QVERIFY(window.notice()->summary().isEmpty());
    QCOMPARE(window.windowTitle(), QStringLiteral("Lockstep"));
    QVERIFY(named<QPushButton>(&window, QStringLiteral("Download the default model, 98 MB")));
    QVERIFY(labelled<QPushButton>(&window, QStringLiteral("Open a GGUF file…")));
    QVERIFY(labelled<QPushButton>(&window, QStringLiteral("Open a Hugging Face folder…")));
}

void TestWindowModels::opensADefaultModelThatIsThere() {
    NEED_MODEL();
    WindowFixture fixture;
    QVERIFY(QDir().mkpath(fixture.models()));
    const QString link = fixture.models() + QLatin1Char('/') + QFileInfo(model_path).fileName();
    QVERIFY(QFile::link(model_path, link));
    MainWindow& window = fixture.open();
    QVERIFY(window.chat()->isVisible());
    VERIFY_LOADED(window);
    QCOMPARE(window.modelInUse().path, link);
    QVERIFY(window.windowTitle().startsWith(QStringLiteral("SmolLM2 135M Instruct")));
}

void TestWindowModels::lastModelOpensAgain() {
    NEED_MODEL();
    WindowFixture fixture;
    {
        MainWindow& window = fixture.open(model_path);
        VERIFY_LOADED(window);
        fixture.close();
    }
    MainWindow& again = fixture.open();
    VERIFY_LOADED(again);
    QCOMPARE(again.modelInUse().path, model_path);
}

void TestWindowModels::badModelKeepsTheOld_data() {
    QTest::addColumn<QByteArray>("content");
    QTest::newRow("garbage") << QByteArray(5000, 'x');
    QTest::newRow("empty") << QByteArray();
    QTest::newRow("a header and nothing else") << QByteArray("GGUF\3\0\0\0", 8);
}

void TestWindowModels::badModelKeepsTheOld() {
    QFETCH(QByteArray, content);
    NEED_MODEL();
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    VERIFY_LOADED(window);
    const QString bad = fixture.write("bad.gguf", content);
    window.openModel(bad);
    QTRY_VERIFY_WITH_TIMEOUT(!window.isLoading(), load_ms);
    QCOMPARE(window.modelInUse().path, model_path);
    QVERIFY(window.notice()->summary().contains(QStringLiteral("bad.gguf could not be opened")));
    QVERIFY(window.notice()->summary().contains(QStringLiteral("stays in use")));
    QVERIFY2(window.notice()->details().contains(QStringLiteral("bad.gguf")),
             qPrintable(window.notice()->details()));
    QCOMPARE(window.settings()->lastModel(), model_path);
    type(window, QStringLiteral("What is the capital of France?"));
    VERIFY_ANSWERED(window);
    QVERIFY(fixture.lastText().contains(QStringLiteral("Paris")));
}

void TestWindowModels::badModelWithoutAnother() {
    WindowFixture fixture;
    MainWindow& window = fixture.open(fixture.path("nowhere"));
    QTRY_VERIFY_WITH_TIMEOUT(!window.isLoading(), load_ms);
    QVERIFY(window.findChild<StartPage*>()->isVisible());
    QVERIFY(window.notice()->summary().contains(QStringLiteral("nowhere could not be opened")));
    auto* retry = labelled<QPushButton>(window.notice(), QStringLiteral("Try again"));
    QVERIFY(retry);
    retry->click();
    QTRY_VERIFY_WITH_TIMEOUT(!window.isLoading(), load_ms);
    QTest::keyClick(window.notice(), Qt::Key_Escape);
    QVERIFY(!window.notice()->isVisible());
}

void TestWindowModels::loadCancelled() {
    NEED_MODEL();
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    auto* cancel = named<QPushButton>(
        &window, QStringLiteral("Cancel: Loading %1").arg(QFileInfo(model_path).fileName()));
    QVERIFY(cancel);
    cancel->click();
    QTRY_VERIFY_WITH_TIMEOUT(!window.isLoading(), load_ms);
    QVERIFY(window.modelInUse().path.isEmpty());
    QVERIFY(window.notice()->summary().isEmpty());  // it was asked for
    QVERIFY(window.findChild<StartPage*>()->isVisible());
    window.openModel(model_path);
    VERIFY_LOADED(window);
}

void TestWindowModels::droppedFileOpens() {
    WindowFixture fixture;
    MainWindow& window = fixture.open();
    const QString file = fixture.write("dropped.gguf", "no model");
    QMimeData data;
    data.setUrls({QUrl::fromLocalFile(file)});
    for (QWidget* target : {static_cast<QWidget*>(&window), window.centralWidget()}) {
        QDragEnterEvent enter({5, 5}, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(target, &enter);
        QVERIFY(enter.isAccepted());
        QDropEvent drop({5, 5}, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(target, &drop);
        QVERIFY(window.isLoading());
        QTRY_VERIFY_WITH_TIMEOUT(!window.isLoading(), load_ms);
        QVERIFY(window.notice()->summary().contains(QStringLiteral("dropped.gguf")));
        window.notice()->dismiss();
    }
    // Text is the composer's.
    QMimeData text;
    text.setText(QStringLiteral("hello"));
    QDragEnterEvent enter({5, 5}, Qt::CopyAction, &text, Qt::LeftButton, Qt::NoModifier);
    enter.ignore();
    QApplication::sendEvent(&window, &enter);
    QVERIFY(!enter.isAccepted());
}

void TestWindowModels::otherContext() {
    NEED_MODEL();
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    VERIFY_LOADED(window);
    type(window, QStringLiteral("Tell me about the sea."));
    QVERIFY(window.chat()->isAnswering());
    // Asked for in the middle of an answer: done after it.
    fixture.change([](Settings& s) { s.engine.context = 512; });
    VERIFY_ANSWERED(window);
    QTRY_COMPARE_WITH_TIMEOUT(window.modelInUse().context, qint64(512), load_ms);
    type(window, QStringLiteral("Go on."));
    VERIFY_ANSWERED(window);
    QCOMPARE(fixture.lastTurn().state, TurnState::complete);
}

void TestWindowModels::otherDtype() {
    NEED_MODEL();
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    VERIFY_LOADED(window);
    QCOMPARE(window.modelInUse().dtype, QStringLiteral("bf16"));
    fixture.change([](Settings& s) { s.engine.dtype = DType::f16; });
    QVERIFY(window.isLoading());
    VERIFY_LOADED(window);
    QCOMPARE(window.modelInUse().dtype, QStringLiteral("f16"));
}

QTEST_MAIN(TestWindowModels)
#include "tst_window_models.moc"
