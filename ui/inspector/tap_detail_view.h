// SPDX-License-Identifier: GPL-3.0-or-later
// One tap, three ways: a heatmap of its errors, their histogram, and its worst elements as a table;
// the figures behind the first two as tables, too.
// A worst element that is chosen is shown on the heatmap.
#pragma once

#include <memory>

#include "ui/inspector/tap_detail.h"
#include "ui/inspector/wrapping_widget.h"

class QComboBox;
class QLabel;
class QStackedWidget;
class QTableView;
class QToolButton;

namespace lockstep {

class ErrorHistogramView;
class ErrorMapModel;
class HeatmapView;
class HistogramModel;
class Segments;
class WorstElementsModel;

class TapDetailView : public WrappingWidget {
    Q_OBJECT
  public:
    enum View { heatmap_view, histogram_view, worst_view };

    explicit TapDetailView(QWidget* parent = nullptr);

    void setDetail(std::shared_ptr<const TapDetail> detail);
    // Instead of figures, why there are none (yet).
    void setMessage(const QString& message);
    QString message() const;  // empty while figures are shown
    const TapDetail* detail() const { return detail_.get(); }

    HeatmapView* heatmap() const { return heatmap_; }
    QTableView* worst() const { return worst_; }
    Segments* views() const { return views_; }

  private:
    void showOnHeatmap(int row);
    void showView();
    void makeTables();
    QWidget* page() const;

    std::shared_ptr<const TapDetail> detail_;
    Segments* views_;
    QComboBox* whose_;
    QStackedWidget* stack_;
    QLabel *message_, *readout_;
    HeatmapView* heatmap_;
    ErrorHistogramView* histogram_;
    QTableView *worst_, *cells_, *bins_;
    WorstElementsModel* elements_;
    ErrorMapModel* map_figures_;
    HistogramModel* histogram_figures_;
    QToolButton* as_table_;
};

}  // namespace lockstep
