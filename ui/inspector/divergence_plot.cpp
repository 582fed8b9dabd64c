// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/divergence_plot.h"

#include <QResizeEvent>
#include <algorithm>
#include <numeric>
#include <vector>

#include "ui/inspector/figures.h"
#include "ui/theme/colors.h"

namespace lockstep {
namespace {

constexpr double side = 0.6;  // free room left of embed and right of logits, in layers

QPen curvePen(const QColor& color, qreal width, Qt::PenStyle style = Qt::SolidLine) {
    return QPen(color, width, style, Qt::RoundCap, Qt::RoundJoin);
}

}  // namespace

DivergencePlot::DivergencePlot(QWidget* parent)
    : PlotWidget(parent), layers_(new QCPAxisTickerText), decades_(setDecades(yAxis)) {
    setObjectName(QStringLiteral("divergence_plot"));
    setAccessibleName(tr("Error by layer"));
    setSelectionRectMode(QCP::srmZoom);
    xAxis->setTicker(layers_);
    xAxis->setSubTicks(false);
    makeItems();
    makeCurves();
    putLegendAbove();
    connect(xAxis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this,
            &DivergencePlot::layTicks);
    setMinimumWidth(unit() * 14);
    showCurves();
}

void DivergencePlot::makeItems() {
    addLayer(QStringLiteral("behind"), layer(QStringLiteral("grid")), QCustomPlot::limBelow);
    const auto band = [this](const char* on) {
        auto* rect = new QCPItemRect(this);
        rect->setLayer(QLatin1String(on));
        rect->setPen(Qt::NoPen);
        rect->setSelectable(false);
        rect->setVisible(false);
        return rect;
    };
    zero_band_ = band("behind");
    infinite_band_ = band("behind");
    for (QCPItemRect* rect : {zero_band_, infinite_band_}) {
        rect->topLeft->setTypeX(QCPItemPosition::ptAxisRectRatio);
        rect->bottomRight->setTypeX(QCPItemPosition::ptAxisRectRatio);
    }
    column_ = band("behind");
    column_->topLeft->setTypeY(QCPItemPosition::ptAxisRectRatio);
    column_->bottomRight->setTypeY(QCPItemPosition::ptAxisRectRatio);
    first_line_ = new QCPItemStraightLine(this);
    first_label_ = new QCPItemText(this);
    first_label_->position->setType(QCPItemPosition::ptAxisRectRatio);
    first_label_->setPositionAlignment(Qt::AlignHCenter | Qt::AlignTop);
    first_label_->setPadding({unit() / 3, 0, unit() / 3, 0});
    first_label_->setLayer(QStringLiteral("overlay"));
    for (QCPAbstractItem* item :
         std::initializer_list<QCPAbstractItem*>{first_line_, first_label_}) {
        item->setSelectable(false);
        item->setVisible(false);
    }
}

void DivergencePlot::makeCurves() {
    const auto curve = [this](const QString& name) {
        QCPGraph* graph = addGraph();
        graph->setName(name);
        graph->setSelectable(QCP::stNone);
        return graph;
    };
    floor_ = curve(tr("noise floor"));
    overlay_ = curve({});
    drift_ = curve(tr("drift"));
    local_ = curve(tr("local"));
    diverged_ = curve(tr("diverged"));
    ring_ = curve({});
    for (QCPGraph* graph : {diverged_, ring_}) graph->setLineStyle(QCPGraph::lsNone);
    for (QCPGraph* graph : {drift_, local_, floor_, diverged_}) graph->addToLegend();
}

void DivergencePlot::setData(const PlotData& data, Metric metric) {
    const bool same_points = data.points.size() == data_.points.size();
    const bool had = current_ >= 0 && size_t(current_) < data_.points.size();
    const PlotPoint before = had ? data_.points[size_t(current_)] : PlotPoint();
    const bool same_view = same_points && metric == metric_;
    data_ = data;
    metric_ = metric;
    current_ = had ? int(data_.find(before.layer, before.step).value_or(size_t(-1))) : -1;
    hovered_ = -1;
    yAxis->setLabel(metricTitle(metric));
    showCurves();
    if (!same_view) showAll();
}

void DivergencePlot::setOverlay(const QString& name, const PlotData& overlay) {
    overlay_data_ = overlay;
    overlay_->setName(name);
    showCurves();
    showAll();
}

QString DivergencePlot::overlayName() const {
    return overlay_data_.points.empty() ? QString() : overlay_->name();
}

void DivergencePlot::setSharedValues(const QVector<double>& values) {
    shared_values_ = values;
    showCurves();
    showAll();
}

QVector<double> DivergencePlot::values() const {
    QVector<double> all;
    for (const PlotPoint& point : data_.points)
        all << point.drift << point.local << point.noise_floor;
    for (const PlotPoint& point : overlay_data_.points) all << point.local;
    return all;
}

void DivergencePlot::showCurves() {
    const QVector<double> all = values() + shared_values_;
    scale_ = log_scale({all.constData(), size_t(all.size())});
    const auto draw = [this](QCPGraph* graph, double PlotPoint::*value, const PlotData& from) {
        QVector<double> x, y;
        for (const PlotPoint& point : from.points) {
            const auto place = data_.find(point.layer, point.step);
            if (!place) continue;
            x << double(*place);
            y << scale_.place(point.*value);
        }
        graph->setData(x, y, true);
    };
    draw(floor_, &PlotPoint::noise_floor, data_);
    draw(drift_, &PlotPoint::drift, data_);
    draw(local_, &PlotPoint::local, data_);
    draw(overlay_, &PlotPoint::local, overlay_data_);
    QVector<double> x, y;
    for (size_t i = 0; i < data_.points.size(); ++i) {
        if (!data_.points[i].diverged) continue;
        x << double(i);
        y << scale_.place(data_.points[i].local);
    }
    diverged_->setData(x, y, true);
    const bool over = !overlay_data_.points.empty();
    if (over && !legend->hasItemWithPlottable(overlay_)) overlay_->addToLegend();
    if (!over) overlay_->removeFromLegend();
    wrapLegend();
    showBands();
    showFirst();
    layTicks();
    showSelection();
}

void DivergencePlot::showBands() {
    QVector<DecadeTicker::Place> places;
    zero_band_->setVisible(scale_.has_zero);
    zero_band_->topLeft->setCoords(0, scale_.zero_edge);
    zero_band_->bottomRight->setCoords(1, scale_.lower);
    if (scale_.has_zero) places << DecadeTicker::Place{scale_.zero, QStringLiteral("0")};
    infinite_band_->setVisible(scale_.has_infinite);
    infinite_band_->topLeft->setCoords(0, scale_.upper);
    infinite_band_->bottomRight->setCoords(1, scale_.infinite_edge);
    if (scale_.has_infinite) places << DecadeTicker::Place{scale_.infinite, tr("NaN, ∞")};
    decades_->setPlaces(places);
    decades_->setDecades(scale_.zero_edge, scale_.infinite_edge);
}

void DivergencePlot::showFirst() {
    const bool any = data_.first.has_value();
    first_line_->setVisible(any);
    first_label_->setVisible(any);
    if (!any) return;
    const auto x = double(*data_.first);
    first_line_->point1->setCoords(x, scale_.lower);
    first_line_->point2->setCoords(x, scale_.upper);
    const PlotPoint& point = data_.points[*data_.first];
    const QString place = layerText(point.layer, data_.num_hidden_layers);
    const QString step = stepText(point.step);
    first_label_->setText(place == step
                              ? tr("first: %1").arg(place)
                              : tr("first: %1, %2 %3").arg(place, step, toText(point.tensor)));
}

// On the side of its line where there is more room; where that is not enough, over the line.
void DivergencePlot::place() {
    if (!data_.first) return;
    const QRect rect = axisRect()->rect();
    const QMargins padding = first_label_->padding();
    const int text = QFontMetrics(first_label_->font()).horizontalAdvance(first_label_->text()) +
                     padding.left() + padding.right();
    const double line = xAxis->coordToPixel(double(*data_.first)) - rect.left();
    const bool right = line < rect.width() / 2.0;
    const double wanted = right ? line : line - text;
    const double left = std::clamp<double>(wanted, 0, std::max(0, rect.width() - text));
    first_label_->position->setCoords((left + text / 2.0) / std::max(1, rect.width()), 0.02);
    const bool in_sight = line >= 0 && line <= rect.width();
    first_label_->setVisible(in_sight);
}

void DivergencePlot::showSelection() {
    const bool any = current_ >= 0 && size_t(current_) < data_.points.size();
    column_->setVisible(any);
    ring_->data()->clear();
    if (any) {
        const PlotPoint& point = data_.points[size_t(current_)];
        column_->topLeft->setCoords(current_ - 0.5, 0);
        column_->bottomRight->setCoords(current_ + 0.5, 1);
        ring_->addData(current_, scale_.place(point.local));
    }
    setReadout(any ? hoverText(current_) : QString());
    replot(QCustomPlot::rpQueuedReplot);
}

void DivergencePlot::layTicks() {
    QMap<double, QString> ticks;
    const auto count = int(data_.points.size());
    const double span = std::max(1.0, xAxis->range().size());
    const double room = double(std::max(width() - unit() * 5, unit() * 8)) / span;  // of a point
    const double label = fontMetrics().horizontalAdvance(QStringLiteral("000")) * 1.2;
    const double name = fontMetrics().horizontalAdvance(QStringLiteral("logits")) * 0.75;
    // Steps of 1, 2, 5, 10, ... layers, of which each must have the room of a label.
    const int in_layer = data_.by_step ? 5 : 1;
    int stride = 1;
    for (int i = 0; stride * in_layer * room < label; ++i)
        stride = stride * (i % 3 == 1 ? 5 : 4) / 2;
    double last = -1e9;
    for (int i = 0; i < count; ++i) {
        const PlotPoint& point = data_.points[size_t(i)];
        const bool end = point.layer < 0 || point.layer >= data_.num_hidden_layers;
        const bool starts = i == 0 || data_.points[size_t(i - 1)].layer != point.layer;
        const bool crowded = !end && ((i - last) * room < label || (count - 1 - i) * room < name ||
                                      (i * room < name));
        if (!starts || crowded || (!end && point.layer % stride != 0)) continue;
        ticks.insert(i, layerShortText(point.layer, data_.num_hidden_layers));
        last = i;
    }
    layers_->setTicks(ticks);
    dressPoints();
}

// The width that the legend has with that many items in a row.
int DivergencePlot::legendWidth(const QVector<QCPAbstractLegendItem*>& items, int in_row) const {
    std::vector<int> columns(size_t(in_row), 0);
    for (int i = 0; i < items.size(); ++i) {
        int& column = columns[size_t(i % in_row)];
        column = std::max(column, items[i]->minimumOuterSizeHint().width());
    }
    const QMargins margins = legend->margins();
    return std::accumulate(columns.begin(), columns.end(), margins.left() + margins.right()) +
           legend->columnSpacing() * (in_row - 1);
}

void DivergencePlot::wrapLegend() {
    QVector<QCPAbstractLegendItem*> items;
    for (int i = 0; i < legend->itemCount(); ++i)
        if (legend->item(i)) items << legend->item(i);  // the last row may have empty cells
    const int count = int(items.size());
    int fit = std::max(1, count);
    while (fit > 1 && legendWidth(items, fit) > width()) --fit;
    const int rows = std::max(1, (count + fit - 1) / fit);
    setMinimumHeight(unit() * 8 + (rows - 1) * unit() * 5 / 4);
    if (legend->wrap() == fit) return;
    legend->setWrap(fit);
    legend->setFillOrder(QCPLegend::foColumnsFirst, true);
}

void DivergencePlot::showAll() {
    const double last = data_.points.empty() ? 1 : double(data_.points.size()) - 1;
    xAxis->setRange(-side, last + side);
    yAxis->setRange(scale_.lower, scale_.upper);
    replot(QCustomPlot::rpQueuedReplot);
}

void DivergencePlot::setTitle(const QString& title) {
    if (title_) {
        plotLayout()->remove(title_);
        plotLayout()->simplify();
        title_ = nullptr;
    }
    if (title.isEmpty()) return replot(QCustomPlot::rpQueuedReplot);
    title_ = new QCPTextElement(this, title, font());
    title_->setTextFlags(Qt::AlignLeft | Qt::AlignVCenter | Qt::TextWordWrap);
    title_->setTextColor(palette().color(QPalette::Text));
    title_->setMargins({unit() / 2, unit() / 2, unit() / 2, 0});
    title_->setMinimumSize(0, unit() * 3);
    plotLayout()->insertRow(0);
    plotLayout()->addElement(0, 0, title_);
    plotLayout()->setRowStretchFactor(0, 0.001);
}

void DivergencePlot::select(int index) {
    if (index < 0 || size_t(index) >= data_.points.size()) index = -1;
    current_ = index;
    if (index >= 0 && !xAxis->range().contains(index)) {
        const double half = xAxis->range().size() / 2;
        xAxis->setRange(index - half, index + half);
    }
    showSelection();
    Q_EMIT selected(index);
}

QString DivergencePlot::hoverText(int index) const {
    if (index < 0 || size_t(index) >= data_.points.size()) return {};
    return pointText(data_.points[size_t(index)], data_.num_hidden_layers);
}

QPointF DivergencePlot::pointPosition(int index) const {
    if (index < 0 || size_t(index) >= data_.points.size()) return {};
    return {xAxis->coordToPixel(index),
            yAxis->coordToPixel(scale_.place(data_.points[size_t(index)].local))};
}

void DivergencePlot::dress(const ThemeColors& colors) {
    const QColor paper = palette().color(QPalette::Base);
    QColor fill = colors.noise_floor;
    fill.setAlphaF(0.16F);
    floor_->setPen(curvePen(colors.noise_floor, 1.5, Qt::DashLine));
    floor_->setBrush(fill);
    drift_->setPen(curvePen(colors.drift, 1.5));
    local_->setPen(curvePen(colors.local, 2));
    overlay_->setPen(curvePen(colors.overlay, 2, Qt::DotLine));
    overlay_->setScatterStyle({QCPScatterStyle::ssTriangle, colors.overlay, paper, 8});
    diverged_->setScatterStyle(
        {QCPScatterStyle::ssDiamond, QPen(paper, 1), QBrush(colors.error), 12});
    ring_->setScatterStyle({QCPScatterStyle::ssCircle, QPen(colors.accent, 2), Qt::NoBrush, 16});
    first_line_->setPen(QPen(colors.error, 1, Qt::DashLine));
    first_label_->setColor(colors.error);
    first_label_->setBrush(paper);
    QFont bold = font();
    bold.setWeight(QFont::DemiBold);
    first_label_->setFont(bold);
    QColor band = colors.success;
    band.setAlphaF(0.10F);
    zero_band_->setBrush(band);
    band = colors.error;
    band.setAlphaF(0.12F);
    infinite_band_->setBrush(band);
    column_->setBrush(colors.hover);
    legend->setIconSize(unit() * 3 / 2, unit() * 3 / 4);
    wrapLegend();
    layTicks();
    dressPoints();
}

void DivergencePlot::dressPoints() {
    const ThemeColors& colors = themeColors(palette());
    // Where points stand close to each other, their marks would hide the curves.
    const double room = width() / std::max(1.0, xAxis->range().size());
    const double size = std::clamp(room / 2, 2.5, 5.0);
    drift_->setScatterStyle(
        {QCPScatterStyle::ssCircle, colors.drift, palette().color(QPalette::Base), size});
    local_->setScatterStyle({QCPScatterStyle::ssSquare, colors.local, colors.local, size});
    local_->setPen(curvePen(colors.local, size < 4 ? 1.2 : 2));
    drift_->setPen(curvePen(colors.drift, size < 4 ? 1 : 1.5));
}

}  // namespace lockstep
