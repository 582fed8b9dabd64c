// SPDX-License-Identifier: GPL-3.0-or-later
// On its first use with a model a path is checked in the background: what the status bar then says,
// how the chat falls back, and how it is overruled.
#include <QAction>
#include <QElapsedTimer>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QTimer>
#include <QToolButton>

#include "tests/gui/window_fixture.h"
#include "tests/support/tiny_model.h"
#include "ui/check/path_check.h"
#include "ui/inspector/inspection_thread.h"
#include "ui/settings/settings_dialog.h"
#include "ui/status_line.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr int check_ms = 300000;  // of a real model, under a sanitizer

QString statusText(const MainWindow& window) {
    return window.findChild<QToolButton*>(QStringLiteral("path_check"))->text();
}

QString pathText(const MainWindow& window) {
    return window.findChild<StatusLine*>()->pathText();
}

bool isChecked(const MainWindow& window) {
    return window.check()->result().state != CheckedPath::State::unknown &&
           window.check()->result().state != CheckedPath::State::checking;
}

QAction* action(const MainWindow& window, const char* name) {
    return window.findChild<QAction*>(QLatin1String(name));
}

}  // namespace

#define VERIFY_CHECKED(window) QTRY_VERIFY_WITH_TIMEOUT(isChecked(window), check_ms)
// A window with the tiny model, its path checked.
#define OPEN_CHECKED(window, fixture)                 \
    MainWindow& window = (fixture).open(tinyModel()); \
    VERIFY_LOADED(window);                            \
    VERIFY_CHECKED(window)

class TestPathCheck : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void initTestCase();
    void matchingPathIsSaidToMatch();
    void checkedOnceOnly();
    void checkedAgainWhenAsked();
    void otherFileIsCheckedAgain();
    void otherDtypeIsCheckedAgain();
    void referenceNeedsNoCheck();
    void divergingPathFallsBack();
    void fallbackIsOverruledAndRemembered();
    void switchOverrules();
    void otherStepsMayStay();
    void truthIsNoFallback();
    void clickAsksForTheInspector();
    void failedCheckIsSaid();
    void waitsForAnAnswer();
    void modelReplacedInTheMiddle();
    void chatAnswersMeanwhile();

  private:
    // A model of its own for each test that changes files.
    QString tinyModel(const char* name = "tiny") const {
        const QString path = folder_.filePath(QLatin1String(name));
        if (!QFileInfo::exists(path)) write_tiny_model(byte_recipe(), path.toStdString());
        return path;
    }
    QTemporaryDir folder_;
    const FaultSpec fault_{"k_rope_missing", 1};
};

void TestPathCheck::initTestCase() {
    QVERIFY(QFileInfo::exists(tinyModel()));
    QVERIFY2(find_fault(fault_.name), "the fault that this test plants is not in the catalogue");
}

void TestPathCheck::matchingPathIsSaidToMatch() {
    WindowFixture fixture;
    OPEN_CHECKED(window, fixture);
    QCOMPARE(statusText(window), QStringLiteral("fused matches"));
    QCOMPARE(pathText(window), QStringLiteral("fused"));
    QVERIFY(window.notice()->summary().isEmpty());
    QVERIFY(action(window, "fused")->isChecked());
    // It looked: several lengths, and decode steps after each.
    const Comparison& comparison = window.check()->lastRun().inspection->comparison;
    QCOMPARE(comparison.prompts.size(), size_t(3));
    QCOMPARE(comparison.prompts[2].size(), size_t(33));
    QCOMPARE(comparison.passes.size(), size_t(9));
}

void TestPathCheck::checkedOnceOnly() {
    WindowFixture fixture;
    {
        OPEN_CHECKED(window, fixture);
        fixture.close();
    }
    MainWindow& again = fixture.open();
    VERIFY_LOADED(again);
    QCOMPARE(statusText(again), QStringLiteral("fused matches"));
    QVERIFY(!again.check()->lastRun().inspection);
}

void TestPathCheck::checkedAgainWhenAsked() {
    WindowFixture fixture;
    {
        OPEN_CHECKED(window, fixture);
        fixture.close();
    }
    fixture.planted_fault = fault_;  // and now the answer would be another
    MainWindow& again = fixture.open();
    VERIFY_LOADED(again);
    QCOMPARE(statusText(again), QStringLiteral("fused matches"));
    QVERIFY(action(again, "check_again")->isEnabled());
    action(again, "check_again")->trigger();
    QCOMPARE(statusText(again), QString::fromUtf8("checking fused …"));
    QVERIFY(!action(again, "check_again")->isEnabled());
    VERIFY_CHECKED(again);
    QCOMPARE(statusText(again), QStringLiteral("fused diverges: layer 1 qkv"));
    QVERIFY(again.check()->lastRun().inspection);
}

void TestPathCheck::otherFileIsCheckedAgain() {
    WindowFixture fixture;
    const QString model = tinyModel("changing");
    {
        MainWindow& window = fixture.open(model);
        VERIFY_LOADED(window);
        VERIFY_CHECKED(window);
        fixture.close();
    }
    QFile config(model + QStringLiteral("/config.json"));
    QVERIFY(config.open(QIODevice::Append));
    config.write("\n");
    config.close();
    MainWindow& again = fixture.open();
    VERIFY_LOADED(again);
    VERIFY_CHECKED(again);
    QVERIFY(again.check()->lastRun().inspection);
}

void TestPathCheck::otherDtypeIsCheckedAgain() {
    WindowFixture fixture;
    OPEN_CHECKED(window, fixture);
    fixture.change([](Settings& s) { s.engine.dtype = DType::f32; });
    VERIFY_LOADED(window);
    VERIFY_CHECKED(window);
    QCOMPARE(window.check()->lastRun().inspection->comparison.dtype, std::string("f32"));
    QCOMPARE(statusText(window), QStringLiteral("fused matches"));
}

void TestPathCheck::referenceNeedsNoCheck() {
    WindowFixture fixture;
    MainWindow& window = fixture.open();
    fixture.change([](Settings& s) { s.fused = false; });
    window.openModel(tinyModel());
    VERIFY_LOADED(window);
    QTest::qWait(100);
    QCOMPARE(window.check()->result().state, CheckedPath::State::unknown);
    QVERIFY(!window.findChild<QToolButton*>(QStringLiteral("path_check"))->isVisible());
    QVERIFY(!action(window, "check_again")->isEnabled());
    // The first use.
    action(window, "fused")->trigger();
    VERIFY_CHECKED(window);
    QCOMPARE(statusText(window), QStringLiteral("fused matches"));
}

void TestPathCheck::divergingPathFallsBack() {
    WindowFixture fixture;
    fixture.planted_fault = fault_;
    OPEN_CHECKED(window, fixture);
    QCOMPARE(statusText(window), QStringLiteral("fused diverges: layer 1 qkv"));
    QCOMPARE(pathText(window), QStringLiteral("reference"));
    QVERIFY2(window.notice()->summary().contains(
                 QStringLiteral("fused parts from the reference (layer 1 qkv)")),
             qPrintable(window.notice()->summary()));
    QVERIFY2(window.notice()->details().contains(QStringLiteral("layer 1, qkv: k")),
             qPrintable(window.notice()->details()));
    QVERIFY(labelled<QPushButton>(window.notice(), QStringLiteral("Show")));
    QVERIFY(labelled<QPushButton>(window.notice(), QStringLiteral("Use fused anyway")));
    QVERIFY(!action(window, "fused")->isChecked());
    QVERIFY(window.settings()->values().fused);  // what the user wants is another matter
    window.chat()->send(QStringLiteral("Hello"));
    VERIFY_ANSWERED(window);
    QCOMPARE(fixture.lastTurn().stats.path, QStringLiteral("reference"));
    bool told = false;
    for (const QLabel* label : window.openSettings()->findChildren<QLabel*>())
        told = told || label->text() == QStringLiteral("In use: reference, in place of fused");
    QVERIFY(told);
    fixture.close();
    // And at once at the next start.
    MainWindow& again = fixture.open();
    VERIFY_LOADED(again);
    QCOMPARE(pathText(again), QStringLiteral("reference"));
    QVERIFY(labelled<QPushButton>(again.notice(), QStringLiteral("Use fused anyway")));
}

void TestPathCheck::fallbackIsOverruledAndRemembered() {
    WindowFixture fixture;
    fixture.planted_fault = fault_;
    {
        OPEN_CHECKED(window, fixture);
        labelled<QPushButton>(window.notice(), QStringLiteral("Use fused anyway"))->click();
        QCOMPARE(pathText(window), QStringLiteral("fused"));
        QVERIFY(action(window, "fused")->isChecked());
        QVERIFY(window.notice()->summary().isEmpty());
        window.chat()->send(QStringLiteral("Hello"));
        VERIFY_ANSWERED(window);
        QCOMPARE(fixture.lastTurn().stats.path, QStringLiteral("fused"));
        fixture.close();
    }
    MainWindow& again = fixture.open();
    VERIFY_LOADED(again);
    QCOMPARE(statusText(again), QStringLiteral("fused diverges: layer 1 qkv"));  // still said
    QCOMPARE(pathText(again), QStringLiteral("fused"));
    QVERIFY(again.notice()->summary().isEmpty());
    // Another model is another matter.
    again.openModel(tinyModel("other"));
    VERIFY_LOADED(again);
    VERIFY_CHECKED(again);
    QCOMPARE(pathText(again), QStringLiteral("reference"));
}

void TestPathCheck::switchOverrules() {
    WindowFixture fixture;
    fixture.planted_fault = fault_;
    OPEN_CHECKED(window, fixture);
    QCOMPARE(pathText(window), QStringLiteral("reference"));
    action(window, "fused")->trigger();
    QCOMPARE(pathText(window), QStringLiteral("fused"));
    QVERIFY(action(window, "fused")->isChecked());
    action(window, "fused")->trigger();
    QCOMPARE(pathText(window), QStringLiteral("reference"));
    QVERIFY(!window.settings()->values().fused);
}

void TestPathCheck::otherStepsMayStay() {
    WindowFixture fixture;
    fixture.planted_fault = fault_;
    OPEN_CHECKED(window, fixture);
    fixture.change([](Settings& s) { s.fused_steps[size_t(StepId::qkv)] = false; });
    QCOMPARE(pathText(window), QStringLiteral("fused (reference: qkv)"));
    QCOMPARE(statusText(window), QStringLiteral("fused matches"));
    fixture.change([](Settings& s) { s.fused_steps[size_t(StepId::qkv)] = true; });
    QCOMPARE(pathText(window), QStringLiteral("reference"));
}

void TestPathCheck::truthIsNoFallback() {
    WindowFixture fixture;
    fixture.planted_fault = fault_;
    OPEN_CHECKED(window, fixture);
    fixture.change([](Settings& s) { s.truth = true; });
    QCOMPARE(pathText(window), QStringLiteral("truth"));
}

void TestPathCheck::clickAsksForTheInspector() {
    WindowFixture fixture;
    fixture.planted_fault = fault_;
    OPEN_CHECKED(window, fixture);
    QSignalSpy wanted(&window, &MainWindow::inspectorWanted);
    auto* button = window.findChild<QToolButton*>(QStringLiteral("path_check"));
    QVERIFY(button->toolTip().contains(QStringLiteral("layer 1, qkv: k")));
    QTest::keyClick(button, Qt::Key_Space);
    labelled<QPushButton>(window.notice(), QStringLiteral("Show"))->click();
    QCOMPARE(wanted.size(), 2);
    for (const QList<QVariant>& asked : wanted) {
        const auto run = asked.first().value<FinishedInspection>();
        QVERIFY(run.inspection && run.inspection->comparison.first);
        QCOMPARE(run.inspection->comparison.first->layer, 1);
    }
}

void TestPathCheck::failedCheckIsSaid() {
    WindowFixture fixture;
    fixture.planted_fault = FaultSpec{"no_such_fault", 0};
    OPEN_CHECKED(window, fixture);
    QCOMPARE(statusText(window), QStringLiteral("fused not checked"));
    QCOMPARE(pathText(window), QStringLiteral("fused"));
    QVERIFY(window.findChild<QToolButton*>(QStringLiteral("path_check"))
                ->toolTip()
                .contains(QStringLiteral("no_such_fault")));
}

void TestPathCheck::waitsForAnAnswer() {
    const QString model_path = defaultModel();
    if (model_path.isEmpty()) QSKIP("the default model is not here");
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    fixture.change([](Settings& s) { s.max_tokens = 120; });
    QTRY_VERIFY_WITH_TIMEOUT(statusText(window).startsWith(QStringLiteral("checking")), load_ms);
    window.chat()->send(QStringLiteral("Tell me a long story."));
    QVERIFY(window.chat()->isAnswering());
    while (window.chat()->isAnswering()) {
        QVERIFY(!isChecked(window));
        QTest::qWait(5);
    }
    VERIFY_CHECKED(window);
    QCOMPARE(statusText(window), QStringLiteral("fused matches"));
}

void TestPathCheck::modelReplacedInTheMiddle() {
    const QString model_path = defaultModel();
    if (model_path.isEmpty()) QSKIP("the default model is not here");
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    QTRY_VERIFY_WITH_TIMEOUT(statusText(window).startsWith(QStringLiteral("checking")), load_ms);
    const std::weak_ptr<const Model> before = window.modelInUse().model;
    window.openModel(tinyModel());
    VERIFY_LOADED(window);
    VERIFY_CHECKED(window);
    QCOMPARE(statusText(window), QStringLiteral("fused matches"));
    // It was this model that was looked at.
    const Comparison& comparison = window.check()->lastRun().inspection->comparison;
    QCOMPARE(comparison.passes[0].layers.size(),
             size_t(byte_recipe().config.num_hidden_layers + 2));
    QTRY_VERIFY(before.expired());
    // Nothing was learnt of the first, and nothing is said of it.
    window.openModel(model_path);
    VERIFY_LOADED(window);
    QVERIFY(statusText(window).startsWith(QStringLiteral("checking")));
}

void TestPathCheck::chatAnswersMeanwhile() {
    const QString model_path = defaultModel();
    if (model_path.isEmpty()) QSKIP("the default model is not here");
    WindowFixture fixture;
    MainWindow& window = fixture.open(model_path);
    fixture.change([](Settings& s) { s.max_tokens = 100; });
    VERIFY_LOADED(window);
    InspectionRequest request;
    request.model = window.modelInUse().model;
    for (int i = 0; i < 20; ++i) request.prompts.push_back(SamplePrompt{60});
    QSignalSpy progress(window.inspection(), &InspectionThread::progressed);
    window.inspection()->inspect(request);
    QTRY_VERIFY_WITH_TIMEOUT(!progress.isEmpty(), check_ms);

    // A tick of 5 ms on the GUI thread that comes late is time in which the window was away.
    QTimer tick;
    QElapsedTimer since;
    qint64 away = 0;
    connect(&tick, &QTimer::timeout, [&] { away = std::max(away, since.restart()); });
    tick.start(5);
    since.start();
    window.chat()->send(QStringLiteral("Tell me a long story about the sea."));
    int growths = 0;
    qsizetype size = 0;
    while (window.chat()->isAnswering()) {
        QTest::qWait(5);
        if (fixture.lastText().size() > size) ++growths;
        size = fixture.lastText().size();
    }
    QVERIFY(window.inspection()->isBusy());
    QCOMPARE(fixture.lastTurn().state, TurnState::complete);
    QVERIFY2(growths > 3, qPrintable(QString::number(growths)));
    qInfo("GUI thread away for %lld ms at most; %.1f tok/s", away,
          fixture.lastTurn().stats.tokensPerSecond);
    QVERIFY2(away < 1000, qPrintable(QString::number(away)));
    window.inspection()->cancel();
    QTRY_VERIFY_WITH_TIMEOUT(!window.inspection()->isBusy(), check_ms);
}

QTEST_MAIN(TestPathCheck)
#include "tst_path_check.moc"
