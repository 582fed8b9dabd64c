// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/heatmap_view.h"

#include <QApplication>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QToolTip>
#include <QWheelEvent>
#include <algorithm>
#include <array>
#include <cmath>

#include "ui/inspector/figures.h"
#include "ui/theme/colors.h"

namespace lockstep {
namespace {

constexpr int most_borders = 64;
constexpr double widest_ratio = 1e6;  // of the colour scale: smaller errors are not told apart

QCPColorGradient gradientOf(const ThemeColors& colors) {
    QCPColorGradient gradient;
    gradient.clearColorStops();
    const auto& stops = colors.error_scale;
    for (size_t i = 0; i < stops.size(); ++i)
        gradient.setColorStopAt(double(i) / double(stops.size() - 1), stops[i]);
    gradient.setNanHandling(QCPColorGradient::nhTransparent);
    return gradient;
}

// Tokens and channels are whole.
class WholeTicker : public QCPAxisTicker {
  protected:
    double getTickStep(const QCPRange& range) override {
        return std::ceil(QCPAxisTicker::getTickStep(range));
    }
};

}  // namespace

HeatmapView::HeatmapView(QWidget* parent)
    : PlotWidget(parent),
      map_(new QCPColorMap(xAxis, yAxis)),
      colors_(new QCPColorScale(this)),
      ring_(new QCPItemRect(this)),
      heads_(new QCPAxisTickerText) {
    setObjectName(QStringLiteral("heatmap"));
    setAccessibleName(tr("Errors by token and channel"));
    setSelectionRectMode(QCP::srmZoom);
    map_->setInterpolate(false);
    map_->setTightBoundary(false);
    plotLayout()->addElement(0, 1, colors_);
    colors_->setType(QCPAxis::atRight);
    colors_->setBarWidth(unit() * 2 / 3);
    colors_->setDataScaleType(QCPAxis::stLogarithmic);
    setDecades(colors_->axis());
    colors_->axis()->setSelectableParts(QCPAxis::spNone);
    map_->setColorScale(colors_);
    auto* margins = new QCPMarginGroup(this);
    axisRect()->setMarginGroup(QCP::msTop | QCP::msBottom, margins);
    colors_->setMarginGroup(QCP::msTop | QCP::msBottom, margins);
    yAxis->setRangeReversed(true);
    yAxis->setLabel(tr("token"));
    xAxis->setLabel(tr("channel"));
    for (QCPAxis* axis : {xAxis, yAxis}) {
        axis->setSubTicks(false);
        axis->grid()->setVisible(false);
    }
    tokens_.reset(new WholeTicker);
    yAxis->setTicker(tokens_);
    xAxis->setTicker(QSharedPointer<WholeTicker>(new WholeTicker));
    xAxis2->setTicker(heads_);
    xAxis2->setTickLength(0);
    connect(xAxis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), xAxis2,
            qOverload<const QCPRange&>(&QCPAxis::setRange));
    ring_->setSelectable(false);
    ring_->setVisible(false);
    setMinimumSize(unit() * 12, unit() * 7);
}

void HeatmapView::setDetail(std::shared_ptr<const TapDetail> detail, bool of_floor) {
    const bool other = detail != detail_;
    detail_ = std::move(detail);
    of_floor_ = of_floor;
    if (!detail_) return clear();
    map_->setVisible(true);
    fillCells();
    if (other) {
        marked_ = {-1, -1};
        ring_->setVisible(false);
        drawHeads();
        showAll();
    }
    setReadout(marked_.x() < 0 ? tr("Empty cells equal truth to the last bit.")
                               : cellText(marked_));
    replot(QCustomPlot::rpQueuedReplot);
}

// As many tokens have a number as there is room for.
void HeatmapView::place() {
    const int label = QFontMetrics(yAxis->tickLabelFont()).height() * 3 / 2;
    const int fit = std::clamp(axisRect()->height() / label, 1, 5);
    if (fit == tokens_->tickCount()) return;
    tokens_->setTickCount(fit);
    replot(QCustomPlot::rpQueuedReplot);
}

void HeatmapView::clear() {
    detail_.reset();
    map_->setVisible(false);
    ring_->setVisible(false);
    marked_ = {-1, -1};
    for (QCPItemStraightLine* border : std::as_const(borders_)) border->setVisible(false);
    setReadout({});
    replot(QCustomPlot::rpQueuedReplot);
}

void HeatmapView::fillCells() {
    // One colour scale for candidate and floor: what they say can be compared.
    double least = HUGE_VAL, most = 0;
    for (const ErrorMap* each : {&detail_->figures.map, &detail_->figures.floor_map}) {
        for (const double cell : each->cells) {
            if (cell <= 0 || !std::isfinite(cell)) continue;
            least = std::min(least, cell);
            most = std::max(most, cell);
        }
    }
    if (most <= 0) least = most = 1e-3;
    const QCPRange range(std::min(std::max(least, most / widest_ratio), most / 10), most);
    const ErrorMap& cells = grid();
    QCPColorMapData* cell_data = map_->data();
    // A map of one row or column would have no extent: it gets two halves.
    const int columns = std::max(2, int(cells.columns)), rows = std::max(2, int(cells.rows));
    cell_data->setSize(columns, rows);
    const QRectF first = cellRect({0, 0});
    const double width_of = first.width() * double(cells.columns) / columns;
    const double height_of = first.height() * double(cells.rows) / rows;
    cell_data->setRange({first.left() + width_of / 2, first.left() + width_of * (columns - 0.5)},
                        {first.top() + height_of / 2, first.top() + height_of * (rows - 0.5)});
    for (int y = 0; y < rows; ++y) {
        for (int x = 0; x < columns; ++x) {
            const int64_t row = y * cells.rows / rows, column = x * cells.columns / columns;
            const double cell = cells.cells[size_t(row * cells.columns + column)];
            const double shown = cell == 0             ? std::nan("")
                                 : std::isfinite(cell) ? std::max(cell, range.lower)
                                                       : range.upper;
            cell_data->setCell(x, y, shown);
        }
    }
    map_->setDataRange(range);
}

void HeatmapView::drawHeads() {
    const int64_t heads = detail_->figures.layout.heads;
    const int64_t width_of_head = detail_->head_width();
    const bool lines = heads > 1 && heads <= most_borders;
    while (borders_.size() < (lines ? heads - 1 : 0)) {
        auto* border = new QCPItemStraightLine(this);
        border->setSelectable(false);
        border->setPen(QPen(palette().color(QPalette::Base), 2));
        borders_ << border;
    }
    QMap<double, QString> names;
    for (int i = 0; i < borders_.size(); ++i) {
        const double x = double((i + 1) * width_of_head) - 0.5;
        borders_[i]->setVisible(lines && i + 1 < heads);
        borders_[i]->point1->setCoords(x, 0);
        borders_[i]->point2->setCoords(x, 1);
    }
    const int64_t stride = std::max<int64_t>(1, (heads + 7) / 8);
    for (int64_t head = 0; lines && head < heads; head += stride)
        names.insert((double(head) + 0.5) * double(width_of_head) - 0.5,
                     head == 0 ? tr("head 0") : QString::number(head));
    heads_->setTicks(names);
    xAxis2->setVisible(lines);
    xAxis2->setTickLabels(lines);
}

void HeatmapView::showAll() {
    if (!detail_) return;
    const TapLayout& layout = detail_->figures.layout;
    const auto first = double(detail_->first_token);
    xAxis->setRange(-0.5, double(layout.columns) - 0.5);
    yAxis->setRange(first - 0.5, first + double(layout.rows) - 0.5);
    replot(QCustomPlot::rpQueuedReplot);
}

QRectF HeatmapView::cellRect(const QPoint& cell) const {
    const ErrorMap& cells = grid();
    return {double(cell.x() * cells.channels_per_cell) - 0.5,
            double(cell.y() * cells.tokens_per_cell + detail_->first_token) - 0.5,
            double(cells.channels_per_cell), double(cells.tokens_per_cell)};
}

void HeatmapView::mark(const WorstElement& element) {
    if (!detail_) return;
    const int64_t column = element.head * detail_->head_width() + element.channel;
    markCell({int(column / grid().channels_per_cell), int(element.token / grid().tokens_per_cell)});
}

void HeatmapView::markCell(const QPoint& cell) {
    if (!detail_ || cell.x() < 0) return;
    marked_ = cell;
    const QRectF place = cellRect(cell);
    if (!xAxis->range().contains(place.center().x()) ||
        !yAxis->range().contains(place.center().y()))
        showAll();
    // Also a small cell must be found by eye.
    const double x_pad = xAxis->range().size() * 0.012, y_pad = yAxis->range().size() * 0.02;
    const QRectF around = place.adjusted(-x_pad, -y_pad, x_pad, y_pad);
    ring_->topLeft->setCoords(around.topLeft());
    ring_->bottomRight->setCoords(around.bottomRight());
    ring_->setVisible(true);
    setReadout(cellText(cell));
    replot(QCustomPlot::rpQueuedReplot);
}

QString HeatmapView::cellText(const QPoint& cell) const {
    if (!detail_ || cell.x() < 0) return {};
    const ErrorMap& cells = grid();
    const TapLayout& layout = detail_->figures.layout;
    const int64_t channel = cell.x() * cells.channels_per_cell;
    const int64_t last_channel = std::min(channel + cells.channels_per_cell, layout.columns) - 1;
    const int64_t row = cell.y() * cells.tokens_per_cell;
    const int64_t last_row = std::min(row + cells.tokens_per_cell, layout.rows) - 1;
    const auto range = [](int64_t from, int64_t to) {
        return from == to ? QString::number(from) : QStringLiteral("%1–%2").arg(from).arg(to);
    };
    QString place =
        tr("token %1").arg(range(row + detail_->first_token, last_row + detail_->first_token));
    const int64_t width_of_head = detail_->head_width();
    const int64_t head = channel / width_of_head;
    if (layout.heads > 1 && head == last_channel / width_of_head)
        place +=
            tr(", head %1, channel %2")
                .arg(head)
                .arg(range(channel - head * width_of_head, last_channel - head * width_of_head));
    else
        place += tr(", channel %1").arg(range(channel, last_channel));
    const double error = cells.cells[size_t(cell.y() * cells.columns + cell.x())];
    return tr("%1: %2 off truth", "place: error").arg(place, figureText(error));
}

QPoint HeatmapView::cellAt(const QPointF& position) const {
    if (!detail_ || !axisRect()->rect().contains(position.toPoint())) return {-1, -1};
    const ErrorMap& cells = grid();
    const auto channel = int64_t(std::lround(xAxis->pixelToCoord(position.x())));
    const auto row = int64_t(std::lround(yAxis->pixelToCoord(position.y()))) - detail_->first_token;
    return {int(std::clamp<int64_t>(channel / cells.channels_per_cell, 0, cells.columns - 1)),
            int(std::clamp<int64_t>(row / cells.tokens_per_cell, 0, cells.rows - 1))};
}

void HeatmapView::mousePressEvent(QMouseEvent* event) {
    pressed_ = event->pos();
    PlotWidget::mousePressEvent(event);
}

void HeatmapView::mouseReleaseEvent(QMouseEvent* event) {
    const bool moved =
        (event->pos() - pressed_).manhattanLength() > QApplication::startDragDistance();
    if (!moved && selectionRect()->isActive()) selectionRect()->cancel();
    PlotWidget::mouseReleaseEvent(event);
    if (moved) return keepInside();
    if (event->button() == Qt::LeftButton) markCell(cellAt(event->pos()));
}

void HeatmapView::mouseMoveEvent(QMouseEvent* event) {
    PlotWidget::mouseMoveEvent(event);
    if (event->buttons() != Qt::NoButton) return;
    const QString text = cellText(cellAt(event->pos()));
    if (text.isEmpty()) return QToolTip::hideText();
    QToolTip::showText(event->globalPosition().toPoint() + QPoint(unit() / 2, unit()), text, this);
}

void HeatmapView::mouseDoubleClickEvent(QMouseEvent* event) {
    PlotWidget::mouseDoubleClickEvent(event);
    showAll();
}

void HeatmapView::wheelEvent(QWheelEvent* event) {
    zoom(std::pow(0.85, event->angleDelta().y() / 120.0),
         xAxis->pixelToCoord(event->position().x()), yAxis->pixelToCoord(event->position().y()));
    event->accept();
}

void HeatmapView::zoom(double factor, double x, double y) {
    if (!detail_) return;
    if (factor > 1 || xAxis->range().size() * factor > 4) xAxis->scaleRange(factor, x);
    if (factor > 1 || yAxis->range().size() * factor > 2) yAxis->scaleRange(factor, y);
    keepInside();
}

void HeatmapView::keepInside() {
    if (!detail_) return;
    const auto first = double(detail_->first_token);
    const auto keep = [](QCPAxis* axis, double lower, double upper) {
        const QCPRange now = axis->range();
        axis->setRange(std::max(now.lower, lower), std::min(now.upper, upper));
    };
    const TapLayout& layout = detail_->figures.layout;
    keep(xAxis, -0.5, double(layout.columns) - 0.5);
    keep(yAxis, first - 0.5, first + double(layout.rows) - 0.5);
    replot(QCustomPlot::rpQueuedReplot);
}

void HeatmapView::keyPressEvent(QKeyEvent* event) {
    if (!detail_) return PlotWidget::keyPressEvent(event);
    QPoint to = marked_.x() < 0 ? QPoint(0, 0) : marked_;
    const QPointF middle(xAxis->range().center(), yAxis->range().center());
    switch (event->key()) {
        case Qt::Key_Left:
            to.rx() -= 1;
            break;
        case Qt::Key_Right:
            to.rx() += marked_.x() < 0 ? 0 : 1;
            break;
        case Qt::Key_Up:
            to.ry() -= 1;
            break;
        case Qt::Key_Down:
            to.ry() += marked_.x() < 0 ? 0 : 1;
            break;
        case Qt::Key_Plus:
        case Qt::Key_Equal:
            return zoom(0.7, middle.x(), middle.y());
        case Qt::Key_Minus:
            return zoom(1 / 0.7, middle.x(), middle.y());
        case Qt::Key_0:
            return showAll();
        default:
            return PlotWidget::keyPressEvent(event);
    }
    markCell({std::clamp(to.x(), 0, int(grid().columns) - 1),
              std::clamp(to.y(), 0, int(grid().rows) - 1)});
}

void HeatmapView::dress(const ThemeColors& colors) {
    map_->setGradient(gradientOf(colors));
    QCPAxis* scale = colors_->axis();
    scale->setTickLabelColor(colors.muted);
    scale->setTickLabelFont(xAxis->tickLabelFont());
    scale->setBasePen(QPen(colors.separator));
    scale->setTickPen(QPen(colors.control));
    ring_->setPen(QPen(colors.drift, 2.5));
    ring_->setBrush(Qt::NoBrush);
    for (QCPItemStraightLine* border : std::as_const(borders_))
        border->setPen(QPen(palette().color(QPalette::Base), 2));
}

}  // namespace lockstep
