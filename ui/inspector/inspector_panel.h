// SPDX-License-Identifier: GPL-3.0-or-later
// The inspector, whole: what is compared, what it came to, the plot, and below it the selected
// layer, the cause and the runs so far. It wires its parts and keeps what has run; the comparing
// is the inspection thread's.
#pragma once

#include <QHash>
#include <QWidget>
#include <functional>

#include "ui/inspector/inspection_run.h"
#include "ui/inspector/run_bar.h"

class QSplitter;
class QStackedWidget;

namespace lockstep {

class DiagnosisCard;
class DrillDownView;
class ExportMenu;
class InspectionThread;
class PlotPane;
class ResultLine;
class RunHistoryView;
class Segments;
class WelcomePage;
struct PlotPoint;

class InspectorPanel : public QWidget {
    Q_OBJECT
  public:
    enum Tab { layer_tab, cause_tab, runs_tab };

    // The thread outlives the panel.
    explicit InspectorPanel(InspectionThread* thread, QWidget* parent = nullptr);

    // Empty: none is open. The runs of another model are forgotten.
    void setModel(const std::weak_ptr<const Model>& model);
    // Asked for when a run on this conversation is wanted.
    void setConversation(std::function<QVector<ChatEntry>()> conversation);
    void refreshConversation();  // whether there is one to run on
    void setIsolation(const IsolationOptions& isolation) { isolation_ = isolation; }

    void run();
    // A run that was made elsewhere (the check when a path is first used): kept and shown. One
    // without an inspection is made again.
    void showResult(const FinishedInspection& result, const QString& prompt);

    RunBar* bar() const { return bar_; }
    ResultLine* result() const { return result_; }
    PlotPane* plot() const { return plot_; }
    DrillDownView* drillDown() const { return drill_down_; }
    DiagnosisCard* diagnosis() const { return diagnosis_; }
    RunHistoryView* history() const { return history_; }
    ExportMenu* exports() const { return exports_; }
    Segments* tabs() const { return tabs_; }
    SharedRun shown() const { return shown_; }

  Q_SIGNALS:
    void said(const QString& message);  // for a moment, in the status bar
    void failed(const QString& summary, const QString& details);

  protected:
    void resizeEvent(QResizeEvent* event) override;

  private:
    enum class Purpose { run, show_me, reopen };
    struct Pending {
        Purpose purpose;
        QString prompt;
        QString overlay = {};   // the planted fault that is to be drawn
        RunChoice choice = {};  // when it was started
    };

    void layOut();
    void connectParts();
    void connectThread();
    void start(const InspectionRequest& request, const Pending& pending);
    void runTokens(int count);
    void showMe(const FaultSpec& fault);
    void reopen(const Divergence& where);
    void keepRun(const FinishedInspection& result, const QString& prompt, const RunChoice& choice);
    void showRun(const SharedRun& run, const RunChoice& choice);
    void showFigures(bool figures);
    void markEarlier();  // where something else is chosen than what is shown
    void takeFinished(const FinishedInspection& result);
    void takeFailed(InspectionId id, const QString& message, bool cancelled);
    bool isRunning() const;

    InspectionThread* thread_;
    std::weak_ptr<const Model> model_;
    bool has_model_ = false;
    std::function<QVector<ChatEntry>()> conversation_;
    IsolationOptions isolation_;  // of the user's kernels
    QHash<InspectionId, Pending> pending_;
    SharedRun shown_;
    RunChoice choice_of_shown_;  // in the bar, when it was started or opened
    int runs_so_far_ = 0;

    RunBar* bar_;
    ResultLine* result_;
    WelcomePage* welcome_;
    PlotPane* plot_;
    ExportMenu* exports_;
    Segments* tabs_;
    DrillDownView* drill_down_;
    DiagnosisCard* diagnosis_;
    RunHistoryView* history_;
    QStackedWidget *stack_, *pages_;
    QSplitter* splitter_;
};

}  // namespace lockstep
