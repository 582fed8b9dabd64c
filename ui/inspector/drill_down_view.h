// SPDX-License-Identifier: GPL-3.0-or-later
// The layer that is selected in the plot: its taps as a table, and the tap that is selected there
// looked at closely. Steps other than the first divergence's are asked for (stepWanted) and come
// back by showStep().
#pragma once

#include <QFutureWatcher>
#include <QTimer>

#include "ui/inspector/inspection_run.h"
#include "ui/inspector/plot_data.h"
#include "ui/inspector/tap_detail.h"
#include "ui/inspector/wrapping_widget.h"

class QLabel;
class QTableView;

namespace lockstep {

class TapDetailView;
class TapTableModel;

class DrillDownView : public WrappingWidget {
    Q_OBJECT
  public:
    explicit DrillDownView(QWidget* parent = nullptr);
    ~DrillDownView() override;

    void setRun(SharedRun run);  // null: nothing to show
    // The layer of a point, and in it the point's tensor.
    void showPoint(const PlotPoint& point, std::optional<size_t> pass);
    void showStep(std::shared_ptr<const StepCase> step);
    void showStepFailed(const QString& message);

    QString heading() const;
    // Who shows the view places it beside what chooses the view.
    QWidget* headingLine() const;
    TapTableModel* taps() const { return taps_; }
    QTableView* table() const { return table_; }
    TapDetailView* detail() const { return detail_; }

  Q_SIGNALS:
    void stepWanted(const lockstep::Divergence& where);

  private:
    void showTap(int row);
    void askForStep();
    bool isOpen(const Divergence& where) const;
    void look();
    void takeDetail();

    SharedRun run_;
    int layer_ = 0;
    bool has_layer_ = false;
    std::optional<size_t> pass_;
    std::optional<Divergence> wanted_;
    std::shared_ptr<const StepCase> step_;
    QTimer ask_soon_;
    struct Looked {
        std::shared_ptr<const StepCase> step;
        std::string tensor;
        std::shared_ptr<const TapDetail> detail;  // null: not every path has the tensor
    };
    QFutureWatcher<Looked> looking_;

    QLabel* heading_;
    TapTableModel* taps_;
    QTableView* table_;
    TapDetailView* detail_;
};

}  // namespace lockstep
