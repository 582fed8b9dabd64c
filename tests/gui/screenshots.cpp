// SPDX-License-Identifier: GPL-3.0-or-later
// screenshots [FOLDER]: draws every state of the window, light and dark, to be looked at.
#include <QAction>
#include <QApplication>
#include <QDir>
#include <QMenu>
#include <QProgressBar>
#include <QPushButton>
#include <QTimer>

#include "tests/gui/window_fixture.h"
#include "ui/check/path_check.h"
#include "ui/help_dialog.h"
#include "ui/inspector/drill_down_view.h"
#include "ui/inspector/inspector_dock.h"
#include "ui/inspector/inspector_panel.h"
#include "ui/inspector/run_bar.h"
#include "ui/inspector/tap_detail_view.h"
#include "ui/models/model_picker.h"
#include "ui/models/start_page.h"
#include "ui/progress_strip.h"
#include "ui/settings/settings_dialog.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

class Camera {
  public:
    explicit Camera(const QString& folder) : folder_(folder) { QDir().mkpath(folder); }

    void shoot(QWidget* widget, const QString& name) {
        QTest::qWait(120);
        const QString file = folder_.filePath(theme_ + QLatin1Char('-') + name + ".png");
        if (!widget->grab().save(file)) qWarning("cannot write %s", qPrintable(file));
    }
    void setTheme(ThemeChoice theme) { theme_ = themeChoiceName(theme); }

  private:
    QDir folder_;
    QString theme_;
};

void waitLoaded(const MainWindow& window) {
    (void)QTest::qWaitFor([&] { return !window.isLoading(); }, load_ms);
}

void waitAnswered(const MainWindow& window) {
    (void)QTest::qWaitFor([&] { return !window.chat()->isAnswering(); }, answer_ms);
}

void shootWithoutModel(Camera& camera, ThemeChoice theme) {
    WindowFixture fixture;
    MainWindow& window = fixture.open();
    fixture.change([&](Settings& s) { s.theme = theme; });
    camera.shoot(&window, "start");
    window.findChild<StartPage*>()->showDownload(41500000, 92871040);
    camera.shoot(&window, "start-downloading");
    window.findChild<StartPage*>()->showDownloadEnded();
    window.openModel(fixture.write("broken.gguf", "this is no model"));
    waitLoaded(window);
    camera.shoot(&window, "start-error");
    labelled<QPushButton>(window.notice(), "Details")->click();
    camera.shoot(&window, "start-error-details");
    SettingsDialog* dialog = window.openSettings();
    for (int page = 0; page < dialog->pageCount(); ++page) {
        dialog->showPage(page);
        camera.shoot(dialog, QStringLiteral("settings-%1").arg(page));
    }
    dialog->close();
    window.findChild<QAction*>("help")->trigger();
    camera.shoot(window.findChild<HelpDialog*>(), "help");
    window.findChild<HelpDialog*>()->close();
    window.resize(520, 420);
    window.notice()->dismiss();
    camera.shoot(&window, "start-narrow");
}

// Beside the chat; its own states are screenshots_inspector's.
void shootInspector(Camera& camera, MainWindow& window) {
    window.resize(1360, 860);
    window.findChild<QAction*>("inspector")->trigger();
    InspectorPanel* panel = window.inspector()->panel();
    panel->bar()->plant({"k_output_scaled", 7});
    panel->run();
    (void)QTest::qWaitFor([&] { return !panel->bar()->isRunning(); }, answer_ms);
    (void)QTest::qWaitFor([&] { return panel->drillDown()->detail()->detail(); }, answer_ms);
    camera.shoot(&window, "inspector-in-window");
    window.findChild<QAction*>("inspector")->trigger();
}

bool isChecked(const MainWindow& window) {
    const auto state = window.check()->result().state;
    return state != CheckedPath::State::unknown && state != CheckedPath::State::checking;
}

void shootKernel(Camera& camera, WindowFixture& fixture, MainWindow& window, const char* name) {
    window.notice()->dismiss();
    window.loadKernel(
        QStringLiteral(LOCKSTEP_KERNELS_FOLDER "/window-%1.so").arg(QLatin1String(name)));
    (void)QTest::qWaitFor([&] { return !window.notice()->summary().isEmpty(); }, load_ms);
    camera.shoot(&window, QStringLiteral("kernel-%1").arg(QLatin1String(name)));
    SettingsDialog* dialog = window.openSettings();
    camera.shoot(dialog, QStringLiteral("settings-kernel-%1").arg(QLatin1String(name)));
    dialog->close();
    fixture.change([](Settings& s) { s.use_user_kernel = false; });
}

// What a check of the kernels finds.
void shootChecks(Camera& camera, ThemeChoice theme, const QString& model) {
    WindowFixture fixture;
    fixture.isolation.program = LOCKSTEP_KERNEL_CHILD;
    fixture.planted_fault = FaultSpec{"k_rope_missing", 3};
    MainWindow& window = fixture.open();
    fixture.change([&](Settings& s) { s.theme = theme; });
    window.openModel(model);
    waitLoaded(window);
    camera.shoot(&window, "check-running");
    (void)QTest::qWaitFor([&] { return isChecked(window); }, load_ms);
    camera.shoot(&window, "check-diverges");
    labelled<QPushButton>(window.notice(), "Details")->click();
    camera.shoot(&window, "check-diverges-details");
    camera.shoot(window.openSettings(), "settings-fallback");
    window.openSettings()->close();
    labelled<QPushButton>(window.notice(), "Use fused anyway")->click();
    camera.shoot(&window, "check-overruled");
    fixture.change([](Settings& s) { s.fused_steps[size_t(StepId::qkv)] = false; });
    for (const char* name : {"plain", "wrong_layout", "null"})
        shootKernel(camera, fixture, window, name);
}

void shootWithModel(Camera& camera, ThemeChoice theme, const QString& model) {
    WindowFixture fixture;
    MainWindow& window = fixture.open();
    fixture.change([&](Settings& s) {
        s.theme = theme;
        s.max_tokens = 220;
    });
    window.openModel(model);
    (void)QTest::qWaitFor(
        [&] {
            const auto* bar = window.findChild<ProgressStrip*>()->findChild<QProgressBar*>();
            return !window.isLoading() || bar->value() > bar->maximum() / 3;
        },
        load_ms);
    camera.shoot(&window, "loading");
    waitLoaded(window);
    camera.shoot(&window, "empty");
    window.chat()->send("Write a Python function that reverses a string.");
    (void)QTest::qWaitFor([&] { return fixture.lastText().size() > 120; }, answer_ms);
    camera.shoot(&window, "streaming");
    waitAnswered(window);
    window.chat()->send("What is the capital of France, and what is it known for?");
    waitAnswered(window);
    (void)QTest::qWaitFor([&] { return isChecked(window); }, load_ms);
    camera.shoot(&window, "finished");
    shootInspector(camera, window);
    window.resize(560, 480);
    camera.shoot(&window, "finished-narrow");
    window.resize(1000, 720);
    window.openModel(fixture.write("broken.gguf", "this is no model"));
    waitLoaded(window);
    camera.shoot(&window, "error");
    window.notice()->dismiss();
    auto* picker = window.findChild<ModelPicker*>();
    QTimer::singleShot(150, &window, [&] {
        camera.shoot(picker->menu(), "picker");
        picker->menu()->close();
    });
    picker->showMenu();
}

}  // namespace

int main(int argc, char** argv) {
    QApplication application(argc, argv);
    Camera camera(argc > 1 ? QString::fromLocal8Bit(argv[1]) : QStringLiteral("screenshots"));
    for (const ThemeChoice theme : {ThemeChoice::light, ThemeChoice::dark}) {
        camera.setTheme(theme);
        shootWithoutModel(camera, theme);
        const QString model = defaultModel();
        if (model.isEmpty()) {
            qWarning("the default model is not here: only what needs none is drawn");
            continue;
        }
        shootWithModel(camera, theme, model);
        shootChecks(camera, theme, model);
    }
    return 0;
}
