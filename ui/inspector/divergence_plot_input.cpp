// SPDX-License-Identifier: GPL-3.0-or-later
// What mouse and keys do in the plot.
#include <QApplication>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QToolTip>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>

#include "ui/inspector/divergence_plot.h"

namespace lockstep {
namespace {

constexpr double closest_x = 3;    // points that a zoom leaves in sight
constexpr double closest_y = 1.5;  // a factor
constexpr double key_zoom = 0.7;

}  // namespace

int DivergencePlot::pointAt(const QPointF& position) const {
    if (data_.points.empty() || !axisRect()->rect().contains(position.toPoint())) return -1;
    const double x = std::round(xAxis->pixelToCoord(position.x()));
    return int(std::clamp(x, 0.0, double(data_.points.size() - 1)));
}

void DivergencePlot::mousePressEvent(QMouseEvent* event) {
    pressed_ = event->pos();
    QToolTip::hideText();
    PlotWidget::mousePressEvent(event);
}

void DivergencePlot::mouseReleaseEvent(QMouseEvent* event) {
    const bool moved =
        (event->pos() - pressed_).manhattanLength() > QApplication::startDragDistance();
    // A tremble is not a rectangle to zoom into.
    if (!moved && selectionRect()->isActive()) selectionRect()->cancel();
    PlotWidget::mouseReleaseEvent(event);
    if (moved) {
        keepInside(xAxis, {-0.6, double(data_.points.size()) - 0.4});
        keepInside(yAxis, {scale_.lower, scale_.upper});
        return replot(QCustomPlot::rpQueuedReplot);
    }
    const int index = pointAt(event->pos());
    if (event->button() == Qt::LeftButton && index >= 0) select(index);
}

void DivergencePlot::mouseMoveEvent(QMouseEvent* event) {
    PlotWidget::mouseMoveEvent(event);
    if (event->buttons() != Qt::NoButton) return;
    const int index = pointAt(event->pos());
    if (index == hovered_) return;
    hovered_ = index;
    if (index < 0) return QToolTip::hideText();
    QToolTip::showText(event->globalPosition().toPoint() + QPoint(unit() / 2, unit()),
                       hoverText(index), this);
}

void DivergencePlot::leaveEvent(QEvent* event) {
    hovered_ = -1;
    PlotWidget::leaveEvent(event);
}

void DivergencePlot::mouseDoubleClickEvent(QMouseEvent* event) {
    PlotWidget::mouseDoubleClickEvent(event);
    showAll();
}

void DivergencePlot::wheelEvent(QWheelEvent* event) {
    const double factor = std::pow(0.85, event->angleDelta().y() / 120.0);
    zoom(factor, xAxis->pixelToCoord(event->position().x()),
         yAxis->pixelToCoord(event->position().y()));
    event->accept();
}

void DivergencePlot::zoom(double factor, double x, double y) {
    const double x_span = xAxis->range().size() * factor;
    if (factor > 1 || x_span > closest_x) xAxis->scaleRange(factor, x);
    const double y_ratio = std::pow(yAxis->range().upper / yAxis->range().lower, factor);
    if (factor > 1 || y_ratio > closest_y) yAxis->scaleRange(factor, y);
    keepInside(xAxis, {-0.6, double(data_.points.size()) - 0.4});
    keepInside(yAxis, {scale_.lower, scale_.upper});
    replot(QCustomPlot::rpQueuedReplot);
}

void DivergencePlot::keepInside(QCPAxis* axis, const QCPRange& all) const {
    const double lower = std::max(axis->range().lower, all.lower);
    const double upper = std::min(axis->range().upper, all.upper);
    if (lower < upper)
        axis->setRange(lower, upper);
    else
        axis->setRange(all);
}

void DivergencePlot::resizeEvent(QResizeEvent* event) {
    PlotWidget::resizeEvent(event);
    wrapLegend();
    layTicks();
    replot(QCustomPlot::rpQueuedReplot);
}

void DivergencePlot::keyPressEvent(QKeyEvent* event) {
    const int last = int(data_.points.size()) - 1;
    const QPointF middle(xAxis->range().center(),
                         std::sqrt(yAxis->range().lower * yAxis->range().upper));
    switch (event->key()) {
        case Qt::Key_Left:
            return select(std::max(0, current_ < 0 ? 0 : current_ - 1));
        case Qt::Key_Right:
            return select(std::min(last, current_ + 1));
        case Qt::Key_Home:
            return select(0);
        case Qt::Key_End:
            return select(last);
        case Qt::Key_Return:
        case Qt::Key_Enter:
            if (current_ >= 0) Q_EMIT activated(current_);
            return;
        case Qt::Key_Plus:
        case Qt::Key_Equal:
            return zoom(key_zoom, current_ < 0 ? middle.x() : current_, middle.y());
        case Qt::Key_Minus:
            return zoom(1 / key_zoom, middle.x(), middle.y());
        case Qt::Key_0:
            return showAll();
        default:
            PlotWidget::keyPressEvent(event);
    }
}

}  // namespace lockstep
