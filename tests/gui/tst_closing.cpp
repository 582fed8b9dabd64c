// SPDX-License-Identifier: GPL-3.0-or-later
// Closes the real window in the middle of what it does. Built under sanitizers as well.
#include <QElapsedTimer>

#include "tests/gui/window_fixture.h"
#include "ui/inspector/inspection_thread.h"

using namespace lockstep;
using namespace lockstep::test;

class TestClosing : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void closesMidAnswer();
    void closesMidPrefill();
    void closesMidLoad();
    void closesMidInspection();
};

static void closeAndTime(WindowFixture& fixture) {
    QElapsedTimer clock;
    clock.start();
    fixture.close();
    qInfo("closed within %lld ms", clock.elapsed());
    QVERIFY(clock.elapsed() < 9000);  // shutDown() gives up after ten seconds
}

void TestClosing::closesMidAnswer() {
    NEED_MODEL();
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    fixture.change([](Settings& s) { s.max_tokens = 0; });
    VERIFY_LOADED(window);
    type(window, QStringLiteral("Tell me a very long story about a ship."));
    QTRY_VERIFY_WITH_TIMEOUT(!fixture.lastText().isEmpty(), answer_ms);
    closeAndTime(fixture);
}

void TestClosing::closesMidPrefill() {
    NEED_MODEL();
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    VERIFY_LOADED(window);
    window.chat()->send(QStringLiteral("The sea is wide and blue. ").repeated(200));
    QVERIFY(window.chat()->isAnswering());
    QTest::qWait(30);
    closeAndTime(fixture);
}

void TestClosing::closesMidLoad() {
    NEED_MODEL();
    for (const int wait_ms : {0, 5, 50}) {
        WindowFixture fixture;
        MainWindow& window = fixture.open(model_path);
        if (wait_ms) QTest::qWait(wait_ms);
        QVERIFY(wait_ms > 5 || window.isLoading());
        closeAndTime(fixture);
    }
}

// Of one that was asked for; the check of a first use runs in all the others.
void TestClosing::closesMidInspection() {
    NEED_MODEL();
    for (const int wait_ms : {0, 100, 1000}) {
        WindowFixture fixture;
        MainWindow& window = fixture.open(model_path);
        VERIFY_LOADED(window);
        InspectionRequest request;
        request.model = window.modelInUse().model;
        request.prompts = {SamplePrompt{300}};
        window.inspection()->inspect(request);
        if (wait_ms) QTest::qWait(wait_ms);
        QVERIFY(window.inspection()->isBusy());
        closeAndTime(fixture);
    }
}

QTEST_MAIN(TestClosing)
#include "tst_closing.moc"
