// SPDX-License-Identifier: GPL-3.0-or-later
// Errors over token x channel: the brighter (in the light theme: the darker) a cell, the larger its
// largest error; cells that are equal to the last bit are left empty. Lines stand between heads.
//
// A click or the arrow keys choose a cell and say its error; wheel, a dragged rectangle, + - and 0
// zoom; a double click shows all.
#pragma once

#include <memory>

#include "ui/inspector/plot_widget.h"
#include "ui/inspector/tap_detail.h"

namespace lockstep {

class HeatmapView : public PlotWidget {
    Q_OBJECT
  public:
    explicit HeatmapView(QWidget* parent = nullptr);

    // of_floor: the reference's errors, on the same colour scale, instead of the candidate's.
    void setDetail(std::shared_ptr<const TapDetail> detail, bool of_floor = false);
    void clear();
    // Rings the element's cell and says its figures.
    void mark(const WorstElement& element);
    // The ringed cell; {-1, -1}: none. x: grid column, y: grid row.
    QPoint markedCell() const { return marked_; }
    QString cellText(const QPoint& cell) const;
    void showAll();

  protected:
    void dress(const ThemeColors& colors) override;
    void place() override;
    void keyPressEvent(QKeyEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;

  private:
    const ErrorMap& grid() const {
        return of_floor_ ? detail_->figures.floor_map : detail_->figures.map;
    }
    // In channels and tokens, the borders of a cell.
    QRectF cellRect(const QPoint& cell) const;
    void fillCells();
    void drawHeads();
    void markCell(const QPoint& cell);
    QPoint cellAt(const QPointF& position) const;
    void zoom(double factor, double x, double y);
    void keepInside();

    std::shared_ptr<const TapDetail> detail_;
    bool of_floor_ = false;
    QPoint marked_{-1, -1};
    QPoint pressed_;

    QCPColorMap* map_;
    QCPColorScale* colors_;
    QCPItemRect* ring_;
    QVector<QCPItemStraightLine*> borders_;
    QSharedPointer<QCPAxisTicker> tokens_;
    QSharedPointer<QCPAxisTickerText> heads_;
};

}  // namespace lockstep
