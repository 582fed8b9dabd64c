// SPDX-License-Identifier: GPL-3.0-or-later
// A user's own kernels, loaded in the window: what is said of them, when the chat may use them, and
// that nothing which they do to themselves reaches it.
#include <QAction>
#include <QCheckBox>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QToolButton>

#include "tests/gui/window_fixture.h"
#include "tests/support/tiny_model.h"
#include "ui/check/path_check.h"
#include "ui/settings/settings_dialog.h"
#include "ui/status_line.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr int check_ms = 300000;  // under a sanitizer

QString kernelFile(const char* name) {
    return QStringLiteral(LOCKSTEP_KERNELS_FOLDER "/%1.so").arg(QLatin1String(name));
}

QString pathText(const MainWindow& window) {
    return window.findChild<StatusLine*>()->pathText();
}

}  // namespace

#define VERIFY_NOTICE(window, text)                                                                \
    do {                                                                                           \
        QTRY_VERIFY_WITH_TIMEOUT(!(window).notice()->summary().isEmpty(), check_ms);               \
        QVERIFY2((window).notice()->summary().contains(text),                                      \
                 qPrintable((window).notice()->summary() + " | " + (window).notice()->details())); \
    } while (false)

class TestWindowKernel : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void initTestCase();
    void passesAndIsChosen();
    void chosenInTheSettings();
    void divergingIsNotUsed();
    void misbehavingIsSaid_data();
    void misbehavingIsSaid();
    void builtAgain();
    void withoutAModel();

  private:
    WindowFixture& start() {
        fixture_ = std::make_unique<WindowFixture>();
        fixture_->isolation.program = LOCKSTEP_KERNEL_CHILD;
        fixture_->isolation.call_limit = std::chrono::milliseconds(1000);
        return *fixture_;
    }
    QString model() const { return folder_.filePath(QStringLiteral("tiny")); }

    QTemporaryDir folder_;
    std::unique_ptr<WindowFixture> fixture_;
};

void TestWindowKernel::initTestCase() {
    TinyRecipe recipe = byte_recipe();
    recipe.config.num_key_value_heads = 3;  // of one alone a cache has no order to mistake
    QVERIFY(write_tiny_model(recipe, model().toStdString()));
}

void TestWindowKernel::passesAndIsChosen() {
    WindowFixture& fixture = start();
    {
        MainWindow& window = fixture.open(model());
        VERIFY_LOADED(window);
        window.loadKernel(kernelFile("window-plain"));
        VERIFY_NOTICE(window, QStringLiteral("window-plain.so computes what the reference does"));
        // That it may be used is not that it is.
        QCOMPARE(pathText(window), QStringLiteral("fused"));
        QSignalSpy wanted(&window, &MainWindow::inspectorWanted);
        auto* use = labelled<QPushButton>(window.notice(), QStringLiteral("Use it in the chat"));
        QVERIFY(use);
        use->click();
        QCOMPARE(pathText(window), QStringLiteral("window-plain.so"));
        window.chat()->send(QStringLiteral("Hello"));
        VERIFY_ANSWERED(window);
        QCOMPARE(fixture.lastTurn().state, TurnState::complete);
        QCOMPARE(fixture.lastTurn().stats.path, QStringLiteral("window-plain.so"));
        // Step by step, like any path.
        fixture.change([](Settings& s) { s.fused_steps[size_t(StepId::down)] = false; });
        QCOMPARE(pathText(window), QStringLiteral("window-plain.so (reference: down)"));
        fixture.change([](Settings& s) { s.fused_steps[size_t(StepId::down)] = true; });
        fixture.close();
    }
    // At the next start ours, until it has passed again; nobody is told of what goes well.
    MainWindow& again = fixture.open();
    VERIFY_LOADED(again);
    QTRY_COMPARE_WITH_TIMEOUT(pathText(again), QStringLiteral("window-plain.so"), check_ms);
    QVERIFY(again.notice()->summary().isEmpty());
}

void TestWindowKernel::chosenInTheSettings() {
    WindowFixture& fixture = start();
    MainWindow& window = fixture.open(model());
    VERIFY_LOADED(window);
    SettingsDialog* dialog = window.openSettings();
    auto* use = dialog->findChild<QCheckBox*>(QStringLiteral("use_user_kernel"));
    auto* state = dialog->findChild<QLabel*>(QStringLiteral("user_kernel_state"));
    QVERIFY(use && state);
    QVERIFY(!use->isEnabled());
    QCOMPARE(state->text(), QStringLiteral("None is loaded."));
    window.loadKernel(kernelFile("window-plain"));
    QVERIFY2(state->text().startsWith(QStringLiteral("window-plain.so is being checked")),
             qPrintable(state->text()));
    QVERIFY(!use->isEnabled());
    QTRY_VERIFY_WITH_TIMEOUT(use->isEnabled(), check_ms);
    QCOMPARE(state->text(), QStringLiteral("window-plain.so matches reference in every step."));
    use->click();
    QCOMPARE(pathText(window), QStringLiteral("window-plain.so"));
    use->click();
    QCOMPARE(pathText(window), QStringLiteral("fused"));
}

void TestWindowKernel::divergingIsNotUsed() {
    WindowFixture& fixture = start();
    MainWindow& window = fixture.open(model());
    VERIFY_LOADED(window);
    window.loadKernel(kernelFile("window-wrong_layout"));
    VERIFY_NOTICE(window, QStringLiteral("window-wrong_layout.so parts from the reference "
                                         "(layer 0 attention): the chat does not use it."));
    QVERIFY(!labelled<QPushButton>(window.notice(), QStringLiteral("Use it in the chat")));
    QSignalSpy wanted(&window, &MainWindow::inspectorWanted);
    labelled<QPushButton>(window.notice(), QStringLiteral("Show"))->click();
    QCOMPARE(wanted.size(), 1);
    const auto run = wanted.at(0).first().value<FinishedInspection>();
    QVERIFY(run.inspection && run.inspection->comparison.first);
    QCOMPARE(run.inspection->comparison.first->step, StepId::attention);
    // Chosen by hand it is not used either.
    fixture.change([](Settings& s) { s.use_user_kernel = true; });
    QCOMPARE(pathText(window), QStringLiteral("fused"));
    window.chat()->send(QStringLiteral("Hello"));
    VERIFY_ANSWERED(window);
    QCOMPARE(fixture.lastTurn().stats.path, QStringLiteral("fused"));
}

void TestWindowKernel::misbehavingIsSaid_data() {
    QTest::addColumn<QString>("file");
    QTest::addColumn<QString>("message");
    for (const char* name : {"null", "abort", "exit", "loop"}) {
        QTest::newRow(name) << kernelFile((std::string("window-") + name).c_str())
                            << QStringLiteral("attn_output");
    }
    QTest::newRow("crash at load") << kernelFile("window-crash_at_load") << QStringLiteral("load");
    QTest::newRow("no shared object")
        << QStringLiteral(LOCKSTEP_SOURCE_DIR "/README.md") << QStringLiteral("shared object");
    QTest::newRow("no file") << kernelFile("nothing") << QStringLiteral("nothing.so");
}

void TestWindowKernel::misbehavingIsSaid() {
    QFETCH(QString, file);
    QFETCH(QString, message);
    WindowFixture& fixture = start();
    MainWindow& window = fixture.open(model());
    VERIFY_LOADED(window);
    window.loadKernel(file);
    VERIFY_NOTICE(window, QStringLiteral("can't be used: "));
    QVERIFY2(window.notice()->summary().contains(message), qPrintable(window.notice()->summary()));
    qInfo("%s", qPrintable(window.notice()->summary()));
    QVERIFY(labelled<QPushButton>(window.notice(), QStringLiteral("Check again")));
    QCOMPARE(pathText(window), QStringLiteral("fused"));
    window.chat()->send(QStringLiteral("Hello"));
    VERIFY_ANSWERED(window);
    QCOMPARE(fixture.lastTurn().state, TurnState::complete);
}

void TestWindowKernel::builtAgain() {
    const QString file = folder_.filePath(QStringLiteral("mine.so"));
    QVERIFY(QFile::copy(kernelFile("window-plain"), file));
    WindowFixture& fixture = start();
    MainWindow& window = fixture.open(model());
    VERIFY_LOADED(window);
    window.loadKernel(file);
    VERIFY_NOTICE(window, QStringLiteral("mine.so computes what the reference does"));
    labelled<QPushButton>(window.notice(), QStringLiteral("Use it in the chat"))->click();
    QCOMPARE(pathText(window), QStringLiteral("mine.so"));
    QVERIFY(QFile::remove(file));
    QVERIFY(QFile::copy(kernelFile("window-wrong_layout"), file));
    window.findChild<QAction*>(QStringLiteral("check_again"))->trigger();
    VERIFY_NOTICE(window, QStringLiteral("mine.so parts from the reference"));
    QCOMPARE(pathText(window), QStringLiteral("fused"));
}

void TestWindowKernel::withoutAModel() {
    WindowFixture& fixture = start();
    MainWindow& window = fixture.open();
    window.loadKernel(kernelFile("window-plain"));
    VERIFY_NOTICE(window, QStringLiteral("will be checked with the first model"));
    window.openModel(model());
    VERIFY_LOADED(window);
    VERIFY_NOTICE(window, QStringLiteral("window-plain.so computes what the reference does"));
}

QTEST_MAIN(TestWindowKernel)
#include "tst_window_kernel.moc"
