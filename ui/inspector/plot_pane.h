// SPDX-License-Identifier: GPL-3.0-or-later
// The plot over layers with what chooses what it shows, and the same figures as a table.
#pragma once

#include "ui/inspector/plot_data.h"
#include "ui/inspector/wrapping_widget.h"

class QCheckBox;
class QComboBox;
class QHBoxLayout;
class QLabel;
class QStackedWidget;
class QTableView;
class QToolButton;

namespace lockstep {

class DivergencePlot;
class LayerTableModel;

class PlotPane : public WrappingWidget {
    Q_OBJECT
  public:
    explicit PlotPane(QWidget* parent = nullptr);

    void setComparison(std::shared_ptr<const Comparison> comparison);
    // Another comparison's local errors over these: what a planted fault looks like.
    void setOverlay(const QString& name, std::shared_ptr<const Comparison> comparison);
    void setChoice(const PlotChoice& choice);
    const PlotChoice& choice() const { return choice_; }
    DivergencePlot* plot() const { return plot_; }
    LayerTableModel* table() const { return table_; }
    // Menus of the pane's tool row, made by who exports.
    void addButton(QToolButton* button);
    // Selects the first divergence, or, where there is none, nothing.
    void selectFirst();
    // The point that is selected; null where there is none.
    const PlotPoint* current() const;

  Q_SIGNALS:
    void pointSelected(const lockstep::PlotPoint& point);
    void choiceChanged(const lockstep::PlotChoice& choice);

  private:
    void makeControls();
    void fillControls();
    void readControls();
    void redraw();
    void showSelected(int index);
    void sayReadout();

    std::shared_ptr<const Comparison> comparison_, overlay_;
    QString overlay_name_;
    PlotChoice choice_;
    bool filling_ = false;

    QComboBox *metric_, *tensor_, *pass_;
    QCheckBox* by_step_;
    QToolButton* as_table_;
    QWidget* controls_;
    QHBoxLayout* buttons_;
    QStackedWidget* stack_;
    DivergencePlot* plot_;
    QTableView* view_;
    LayerTableModel* table_;
    QLabel* readout_;
};

}  // namespace lockstep
