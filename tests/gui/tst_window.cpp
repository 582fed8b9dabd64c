// SPDX-License-Identifier: GPL-3.0-or-later
// Chats in the real window with the real default model.
#include <QAction>
#include <QCheckBox>
#include <QDoubleSpinBox>
#include <QElapsedTimer>
#include <QPushButton>
#include <QToolButton>

#include "tests/gui/window_fixture.h"
#include "ui/settings/settings_dialog.h"
#include "ui/status_line.h"

using namespace lockstep;
using namespace lockstep::test;

class TestWindow : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void typesAndStreams();
    void stops();
    void togglesFusedMidAnswer();
    void togglesOneStepMidAnswer();
    void answersAgain();
    void newChatMidAnswer();
    void settingsKept();
    void promptTooLong();
};

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

QTEST_MAIN(TestWindow)
#include "tst_window.moc"
