// SPDX-License-Identifier: GPL-3.0-or-later
// Drives the real window with the real default model.
#include <QAction>
#include <QCheckBox>
#include <QDoubleSpinBox>
#include <QElapsedTimer>
#include <QMimeData>
#include <QProgressBar>
#include <QPushButton>
#include <QToolButton>

#include "tests/gui/window_fixture.h"
#include "ui/models/start_page.h"
#include "ui/progress_strip.h"
#include "ui/settings/settings_dialog.h"
#include "ui/status_line.h"

using namespace lockstep;
using namespace lockstep::test;

#define NEED_MODEL()                           \
    const QString model_path = defaultModel(); \
    if (model_path.isEmpty())                  \
    QSKIP("the default model is not here: ./lockstep test fetches it into the models folder")

class TestWindow : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void firstStart();
    void opensADefaultModelThatIsThere();
    void typesAndStreams();
    void stops();
    void togglesFusedMidAnswer();
    void togglesOneStepMidAnswer();
    void answersAgain();
    void newChatMidAnswer();
    void settingsKept();
    void lastModelOpensAgain();
    void badModelKeepsTheOld_data();
    void badModelKeepsTheOld();
    void badModelWithoutAnother();
    void loadCancelled();
    void droppedFileOpens();
    void otherContext();
    void otherDtype();
    void promptTooLong();
    void closesMidAnswer();
    void closesMidPrefill();
    void closesMidLoad();
};

static void type(MainWindow& window, const QString& text) {
    auto* field = named<QPlainTextEdit>(&window, QStringLiteral("Message"));
    QVERIFY(field);
    QTest::keyClicks(field, text);
    QTest::keyClick(field, Qt::Key_Return);
}

void TestWindow::firstStart() {
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

void TestWindow::opensADefaultModelThatIsThere() {
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

void TestWindow::typesAndStreams() {
    NEED_MODEL();
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    VERIFY_LOADED(window);
    type(window, QStringLiteral("What is the capital of France?"));
    QVERIFY(window.chat()->isAnswering());
    VERIFY_ANSWERED(window);
    const ChatTurn turn = fixture.lastTurn();
    QCOMPARE(turn.state, TurnState::complete);
    QVERIFY2(turn.text.contains(QStringLiteral("Paris")), qPrintable(turn.text));
    QVERIFY(turn.stats.tokens > 0);
    QVERIFY(turn.stats.tokensPerSecond > 0);
    QVERIFY(turn.stats.firstTokenSeconds > 0);
    QCOMPARE(turn.stats.path, QStringLiteral("fused"));
    QCOMPARE(window.findChild<StatusLine*>()->pathText(), QStringLiteral("fused"));

    // A longer one grows while it is being made.
    type(window, QStringLiteral("Write a long story about a lighthouse and its keeper."));
    bool grew = false;
    while (window.chat()->isAnswering() && !grew) {
        QTest::qWait(5);
        grew = window.chat()->isAnswering() && !fixture.lastText().isEmpty();
    }
    QVERIFY(grew);
    window.findChild<QAction*>(QStringLiteral("stop"))->trigger();
    VERIFY_ANSWERED(window);
}

void TestWindow::stops() {
    NEED_MODEL();
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    fixture.change([](Settings& s) { s.max_tokens = 0; });
    VERIFY_LOADED(window);
    type(window, QStringLiteral("Tell me a very long story about a ship."));
    QTRY_VERIFY_WITH_TIMEOUT(fixture.lastText().size() > 20, answer_ms);
    const QString before = fixture.lastText();
    QElapsedTimer clock;
    clock.start();
    window.findChild<QAction*>(QStringLiteral("stop"))->trigger();
    QTRY_VERIFY_WITH_TIMEOUT(!window.chat()->isAnswering(), answer_ms);
    qInfo("stopped after %lld ms", clock.elapsed());
    QCOMPARE(fixture.lastTurn().stats.stopReason, QStringLiteral("cancelled"));
    QVERIFY(fixture.lastText().startsWith(before));
    // And the next one is answered.
    fixture.change([](Settings& s) { s.max_tokens = 4; });
    type(window, QStringLiteral("Hello"));
    VERIFY_ANSWERED(window);
    QCOMPARE(fixture.lastTurn().stats.stopReason, QStringLiteral("max_tokens"));
}

void TestWindow::togglesFusedMidAnswer() {
    NEED_MODEL();
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    fixture.change([](Settings& s) { s.max_tokens = 160; });
    VERIFY_LOADED(window);
    type(window, QStringLiteral("Explain how rain forms, in detail."));
    QTRY_VERIFY_WITH_TIMEOUT(fixture.lastText().size() > 40, answer_ms);
    const QString before = fixture.lastText();
    window.findChild<QAction*>(QStringLiteral("fused"))->trigger();
    QVERIFY(window.chat()->isAnswering());
    QCOMPARE(window.findChild<StatusLine*>()->pathText(), QStringLiteral("reference"));
    VERIFY_ANSWERED(window);
    const ChatTurn turn = fixture.lastTurn();
    QCOMPARE(turn.state, TurnState::complete);
    QVERIFY(turn.text.startsWith(before));
    QVERIFY(turn.text.size() > before.size());
    QCOMPARE(turn.stats.path, QStringLiteral("fused, then reference"));
}

void TestWindow::togglesOneStepMidAnswer() {
    NEED_MODEL();
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    fixture.change([](Settings& s) { s.max_tokens = 160; });
    VERIFY_LOADED(window);
    SettingsDialog* dialog = window.openSettings();
    auto* qkv = dialog->findChild<QCheckBox*>(QStringLiteral("fused_qkv"));
    QVERIFY(qkv && qkv->isChecked());
    type(window, QStringLiteral("Explain how rain forms, in detail."));
    QTRY_VERIFY_WITH_TIMEOUT(fixture.lastText().size() > 40, answer_ms);
    const QString before = fixture.lastText();
    QTest::keyClick(qkv, Qt::Key_Space);
    QVERIFY(window.chat()->isAnswering());
    VERIFY_ANSWERED(window);
    QVERIFY(fixture.lastText().startsWith(before));
    QCOMPARE(fixture.lastTurn().stats.path, QStringLiteral("fused, then fused (reference: qkv)"));
}

void TestWindow::answersAgain() {
    NEED_MODEL();
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    VERIFY_LOADED(window);
    type(window, QStringLiteral("Name three colours."));
    VERIFY_ANSWERED(window);
    const QString first = fixture.lastText();
    QVERIFY(!first.isEmpty());
    auto* again = named<QToolButton>(window.chat(), QStringLiteral("Answer again"));
    QVERIFY(again);
    again->click();
    QVERIFY(window.chat()->isAnswering());
    VERIFY_ANSWERED(window);
    QCOMPARE(window.chat()->model()->turns(), 2);
    QCOMPARE(fixture.lastText(), first);  // greedy
}

void TestWindow::newChatMidAnswer() {
    NEED_MODEL();
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    fixture.change([](Settings& s) { s.max_tokens = 0; });
    VERIFY_LOADED(window);
    type(window, QStringLiteral("Tell me a very long story about a ship."));
    QTRY_VERIFY_WITH_TIMEOUT(!fixture.lastText().isEmpty(), answer_ms);
    window.chat()->newChatAction()->trigger();
    QCOMPARE(window.chat()->model()->turns(), 0);
    fixture.change([](Settings& s) { s.max_tokens = 16; });
    type(window, QStringLiteral("What is the capital of France?"));
    VERIFY_ANSWERED(window);
    QCOMPARE(window.chat()->model()->turns(), 2);
    QVERIFY2(fixture.lastText().contains(QStringLiteral("Paris")), qPrintable(fixture.lastText()));
}

void TestWindow::settingsKept() {
    WindowFixture fixture;
    Settings wanted;
    {
        MainWindow& window = fixture.open();
        SettingsDialog* dialog = window.openSettings();
        for (int page = 0; page < dialog->pageCount(); ++page) {
            dialog->showPage(page);
            if (auto* box = named<QDoubleSpinBox>(dialog, QStringLiteral("Temperature")))
                box->setValue(0.35);
            if (auto* box = named<QCheckBox>(dialog, QStringLiteral("down fused"))) box->click();
        }
        wanted = window.settings()->values();
        QCOMPARE(wanted.temperature, 0.35);
        QVERIFY(!wanted.fused_steps[size_t(StepId::down)]);
        fixture.close();
    }
    MainWindow& again = fixture.open();
    QCOMPARE(again.settings()->values(), wanted);
    QCOMPARE(again.findChild<StatusLine*>()->pathText(), QStringLiteral("fused (reference: down)"));
    auto* restore = labelled<QPushButton>(again.openSettings(), QStringLiteral("Restore defaults"));
    QVERIFY(restore);
    restore->click();
    QCOMPARE(again.settings()->values(), Settings());
}

void TestWindow::lastModelOpensAgain() {
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

void TestWindow::badModelKeepsTheOld_data() {
    QTest::addColumn<QByteArray>("content");
    QTest::newRow("garbage") << QByteArray(5000, 'x');
    QTest::newRow("empty") << QByteArray();
    QTest::newRow("a header and nothing else") << QByteArray("GGUF\3\0\0\0", 8);
}

void TestWindow::badModelKeepsTheOld() {
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

void TestWindow::badModelWithoutAnother() {
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

void TestWindow::loadCancelled() {
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

void TestWindow::droppedFileOpens() {
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

void TestWindow::otherContext() {
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

void TestWindow::otherDtype() {
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

void TestWindow::promptTooLong() {
    NEED_MODEL();
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    fixture.change([](Settings& s) { s.engine.context = 64; });
    VERIFY_LOADED(window);
    QTRY_COMPARE_WITH_TIMEOUT(window.modelInUse().context, qint64(64), load_ms);
    window.chat()->send(QStringLiteral("word ").repeated(300));
    VERIFY_ANSWERED(window);
    QCOMPARE(fixture.lastTurn().state, TurnState::failed);
    QVERIFY2(fixture.lastTurn().error.contains(QStringLiteral("context")),
             qPrintable(fixture.lastTurn().error));
}

static void closeAndTime(WindowFixture& fixture) {
    QElapsedTimer clock;
    clock.start();
    fixture.close();
    qInfo("closed within %lld ms", clock.elapsed());
    QVERIFY(clock.elapsed() < 9000);  // shutDown() gives up after ten seconds
}

void TestWindow::closesMidAnswer() {
    NEED_MODEL();
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    fixture.change([](Settings& s) { s.max_tokens = 0; });
    VERIFY_LOADED(window);
    type(window, QStringLiteral("Tell me a very long story about a ship."));
    QTRY_VERIFY_WITH_TIMEOUT(!fixture.lastText().isEmpty(), answer_ms);
    closeAndTime(fixture);
}

void TestWindow::closesMidPrefill() {
    NEED_MODEL();
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    VERIFY_LOADED(window);
    window.chat()->send(QStringLiteral("The sea is wide and blue. ").repeated(200));
    QVERIFY(window.chat()->isAnswering());
    QTest::qWait(30);
    closeAndTime(fixture);
}

void TestWindow::closesMidLoad() {
    NEED_MODEL();
    for (const int wait_ms : {0, 5, 50}) {
        WindowFixture fixture;
        MainWindow& window = fixture.open(model_path);
        if (wait_ms) QTest::qWait(wait_ms);
        QVERIFY(wait_ms > 5 || window.isLoading());
        closeAndTime(fixture);
    }
}

QTEST_MAIN(TestWindow)
#include "tst_window.moc"
