// SPDX-License-Identifier: GPL-3.0-or-later
// screenshots_inspector [FOLDER]: draws every state of the inspector, light and dark, to be looked
// at. With the default model where it is there, else with a tiny one.
#include <QApplication>
#include <QDir>
#include <QTableView>

#include "core/model/model_loader.h"
#include "tests/gui/inspector/sample_inspections.h"
#include "tests/support/models.h"
#include "ui/inspector/diagnosis_card.h"
#include "ui/inspector/divergence_plot.h"
#include "ui/inspector/drill_down_view.h"
#include "ui/inspector/inspection_thread.h"
#include "ui/inspector/inspector_dock.h"
#include "ui/inspector/inspector_panel.h"
#include "ui/inspector/plot_pane.h"
#include "ui/inspector/result_line.h"
#include "ui/inspector/run_bar.h"
#include "ui/inspector/run_history_view.h"
#include "ui/inspector/segments.h"
#include "ui/inspector/tap_detail_view.h"
#include "ui/theme/theme.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr int run_ms = 120000;

class Studio {
  public:
    Studio(const QString& folder, ThemeChoice theme, std::shared_ptr<const Model> model)
        : folder_(folder), theme_(themeChoiceName(theme)), model_(std::move(model)) {
        QDir().mkpath(folder);
        panel_ = dock_.panel();
        resize(520, 820);
        dock_.show();
    }

    void shootAll();

  private:
    void shoot(const char* name) {
        QTest::qWait(150);
        const QString file = folder_.filePath(theme_ + QLatin1Char('-') + name + ".png");
        if (!dock_.widget()->grab().save(file)) qWarning("cannot write %s", qPrintable(file));
    }
    void resize(int width, int height) {  // of the panel, at 96 dots an inch
        const int title = dock_.titleBarWidget()->sizeHint().height();
        dock_.resize(width, height + title);
    }
    void wait() {
        (void)QTest::qWaitFor([&] { return !panel_->bar()->isRunning(); }, run_ms);
    }
    void waitForDetail() {
        (void)QTest::qWaitFor([&] { return panel_->drillDown()->detail()->detail(); }, run_ms);
    }
    void run() {
        panel_->run();
        wait();
    }

    QDir folder_;
    QString theme_;
    std::shared_ptr<const Model> model_;
    InspectionThread thread_;
    InspectorDock dock_{&thread_};  // which scrolls where it is lower than the panel
    InspectorPanel* panel_;
};

void Studio::shootAll() {
    shoot("inspector-no-model");
    panel_->setModel(model_);
    shoot("inspector-empty");
    panel_->bar()->setCandidate(QStringLiteral("/nowhere/my_kernel.so"));
    run();
    shoot("inspector-failed");
    panel_->bar()->setCandidate(QStringLiteral("fused"));
    panel_->run();
    (void)QTest::qWaitFor([&] { return !panel_->bar()->isRunning(); }, 400);
    shoot("inspector-running");
    wait();
    shoot("inspector-match");
    panel_->plot()->plot()->select(3);
    QTest::qWait(400);
    waitForDetail();
    shoot("inspector-match-layer");
    const int layers = int(model_->config.num_hidden_layers);
    panel_->bar()->plant({"k_output_scaled", layers / 2});
    shoot("inspector-planted");
    run();
    waitForDetail();
    shoot("inspector-diverged");
    TapDetailView* detail = panel_->drillDown()->detail();
    detail->views()->setCurrent(TapDetailView::histogram_view);
    shoot("inspector-histogram");
    detail->views()->setCurrent(TapDetailView::worst_view);
    shoot("inspector-worst");
    Q_EMIT detail->worst()->activated(detail->worst()->model()->index(0, 0));
    shoot("inspector-worst-on-heatmap");
    panel_->tabs()->setCurrent(InspectorPanel::cause_tab);
    shoot("inspector-cause");
    panel_->tabs()->setCurrent(InspectorPanel::runs_tab);
    panel_->history()->table()->selectAll();
    shoot("inspector-runs");
    panel_->tabs()->setCurrent(InspectorPanel::layer_tab);
    PlotChoice choice;
    choice.by_step = true;
    panel_->plot()->setChoice(choice);
    shoot("inspector-steps");
    panel_->plot()->setChoice({});
    resize(370, 700);
    shoot("inspector-narrow");
    resize(1300, 760);
    shoot("inspector-wide");
    resize(520, 820);
    panel_->bar()->removeFault();
    panel_->bar()->setCandidate(QStringLiteral("reference"));
    run();
    shoot("inspector-equal");
}

std::shared_ptr<const Model> modelToShow() {
    const auto file = default_model();
    if (file.empty()) return tinyModelWithTokenizer();
    const auto loaded = load_model(file, {});
    return loaded ? *loaded : tinyModelWithTokenizer();
}

}  // namespace

int main(int argc, char** argv) {
    QApplication application(argc, argv);
    Theme theme;
    const auto model = modelToShow();
    for (const ThemeChoice choice : {ThemeChoice::light, ThemeChoice::dark}) {
        theme.setChoice(choice);
        Studio(argc > 1 ? QString::fromLocal8Bit(argv[1]) : QStringLiteral("screenshots"), choice,
               model)
            .shootAll();
    }
    return 0;
}
