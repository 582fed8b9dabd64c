// SPDX-License-Identifier: GPL-3.0-or-later
// Layers on x, errors on a log y: drift, local and noise floor, marks where a tensor diverged, and
// a line at the first divergence.
//
// Mouse: hover shows a point's figures, a click selects it, the wheel and a dragged rectangle zoom,
// a double click shows all. Keys: Left and Right walk, Home and End go to embed and logits, Enter
// opens, + - and 0 zoom.
#pragma once

#include "ui/inspector/plot_data.h"
#include "ui/inspector/plot_widget.h"

namespace lockstep {

class DivergencePlot : public PlotWidget {
    Q_OBJECT
  public:
    explicit DivergencePlot(QWidget* parent = nullptr);

    // Keeps the selection where the new data has the same layer (and step), and the view where the
    // points are the same.
    void setData(const PlotData& data, Metric metric);
    const PlotData& data() const { return data_; }
    // A fourth curve beside the three; empty data: none.
    void setOverlay(const QString& name, const PlotData& overlay);
    QString overlayName() const;
    // The y axis of several plots beside each other: values that must have a place on it too.
    void setSharedValues(const QVector<double>& values);
    QVector<double> values() const;

    // A line of text above the curves, for a picture that leaves the panel; empty: none.
    void setTitle(const QString& title);

    int current() const { return current_; }  // -1: nothing is selected
    void select(int index);
    void showAll();
    // In the widget's coordinates: where the local error of a point is drawn.
    QPointF pointPosition(int index) const;
    QString hoverText(int index) const;
    // The point whose column is nearest; -1 outside the axes.
    int pointAt(const QPointF& position) const;

  Q_SIGNALS:
    void selected(int index);   // by the user or by select()
    void activated(int index);  // Enter

  protected:
    void dress(const ThemeColors& colors) override;
    void place() override;
    void keyPressEvent(QKeyEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    void makeCurves();
    void makeItems();
    void showCurves();
    void showFirst();
    void showBands();
    void showSelection();
    void layTicks();
    void dressPoints();
    int legendWidth(const QVector<QCPAbstractLegendItem*>& items, int in_row) const;
    void wrapLegend();
    void zoom(double factor, double x, double y);
    void keepInside(QCPAxis* axis, const QCPRange& all) const;

    PlotData data_, overlay_data_;
    Metric metric_ = Metric::max_abs;
    QVector<double> shared_values_;
    LogScale scale_;
    int current_ = -1, hovered_ = -1;
    QPoint pressed_;

    QSharedPointer<QCPAxisTickerText> layers_;
    QSharedPointer<DecadeTicker> decades_;
    QCPGraph *floor_, *drift_, *local_, *overlay_, *diverged_;
    QCPTextElement* title_ = nullptr;
    QCPItemStraightLine* first_line_;
    QCPItemText* first_label_;
    QCPItemRect *column_, *zero_band_, *infinite_band_;
    QCPGraph* ring_;
};

}  // namespace lockstep
