// SPDX-License-Identifier: GPL-3.0-or-later
// The runs so far; one is opened by Enter or a double click, two that are selected stand beside
// each other: before and after an edit of the kernel.
#pragma once

#include "ui/inspector/plot_data.h"
#include "ui/inspector/run_history_model.h"
#include "ui/inspector/wrapping_widget.h"

class QLabel;
class QPushButton;
class QStackedWidget;
class QTableView;

namespace lockstep {

class BesideTableModel;
class DivergencePlot;
class Segments;

class RunHistoryView : public WrappingWidget {
    Q_OBJECT
  public:
    explicit RunHistoryView(QWidget* parent = nullptr);

    RunHistoryModel* runs() const { return runs_; }
    QTableView* table() const { return table_; }
    // What the plots draw, as the large plot does.
    void setChoice(const PlotChoice& choice);
    // The two runs beside each other, the older first; -1: none.
    std::pair<int, int> beside() const { return beside_; }

  Q_SIGNALS:
    void opened(const lockstep::SharedRun& run);

  protected:
    void resizeEvent(QResizeEvent* event) override;

  private:
    QWidget* makeBeside();
    void openCurrent();
    void showBeside();

    PlotChoice choice_;
    std::pair<int, int> beside_{-1, -1};
    RunHistoryModel* runs_;
    BesideTableModel* figures_;
    QTableView *table_, *figure_table_;
    QPushButton* open_;
    QLabel *hint_, *before_title_, *after_title_;
    DivergencePlot *before_, *after_;
    QWidget *beside_page_, *plots_;
    Segments* as_;
    QStackedWidget* beside_stack_;
};

}  // namespace lockstep
