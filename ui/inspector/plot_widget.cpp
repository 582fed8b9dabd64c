// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/plot_widget.h"

#include <QAccessibleWidget>
#include <QEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "ui/theme/colors.h"

namespace lockstep {
namespace {

// A chart whose value is its readout.
class PlotAccessible : public QAccessibleWidget {
  public:
    explicit PlotAccessible(QWidget* widget) : QAccessibleWidget(widget, QAccessible::Chart) {}

    QString text(QAccessible::Text kind) const override {
        if (kind == QAccessible::Value) return static_cast<PlotWidget*>(widget())->readout();
        return QAccessibleWidget::text(kind);
    }
};

QAccessibleInterface* makeAccessible(const QString& class_name, QObject* object) {
    if (class_name != QLatin1String("lockstep::PlotWidget")) return nullptr;
    auto* plot = qobject_cast<PlotWidget*>(object);
    return plot ? new PlotAccessible(plot) : nullptr;
}

QString superscript(int number) {
    static const QString digits = QStringLiteral("⁰¹²³⁴⁵⁶⁷⁸⁹");
    QString text = number < 0 ? QStringLiteral("⁻") : QString();
    for (const QChar digit : QString::number(std::abs(number))) text += digits[digit.digitValue()];
    return text;
}

}  // namespace

PlotWidget::PlotWidget(QWidget* parent) : QCustomPlot(parent) {
    static const bool installed = [] {
        QAccessible::installFactory(makeAccessible);
        return true;
    }();
    Q_UNUSED(installed)
    setFocusPolicy(Qt::StrongFocus);
    setAutoAddPlottableToLegend(false);
    setMouseTracking(true);
    for (QCPAxis* axis : {xAxis, yAxis, xAxis2, yAxis2}) axis->setSelectableParts(QCPAxis::spNone);
    legend->setSelectableParts(QCPLegend::spNone);
    connect(this, &QCustomPlot::afterLayout, this, [this] {
        fitDecades();
        place();
    });
}

QSharedPointer<DecadeTicker> PlotWidget::setDecades(QCPAxis* axis) {
    QSharedPointer<DecadeTicker> ticker(new DecadeTicker);
    axis->setScaleType(QCPAxis::stLogarithmic);
    axis->setTicker(ticker);
    axis->setSubTicks(false);
    decade_axes_.append({axis, ticker});
    return ticker;
}

double PlotWidget::labelDecades(const QCPAxis& axis) const {
    const bool lies = axis.orientation() == Qt::Horizontal;
    const QCPAxisRect* rect = axis.axisRect();
    const int length = lies ? rect->width() : rect->height();
    const QFontMetrics metrics(axis.tickLabelFont());
    const double label =
        lies ? metrics.horizontalAdvance(QStringLiteral("10⁻¹²")) * 1.3 : metrics.height() * 1.05;
    const double decades = std::log10(axis.range().upper / axis.range().lower);
    return length > 0 && std::isfinite(decades) ? label / length * decades : 0;
}

// The ticks of this layout are made already: where they do not fit, there is another one.
void PlotWidget::fitDecades() {
    bool again = false;
    for (const DecadeAxis& each : std::as_const(decade_axes_))
        if (each.axis && each.ticker->setLabelSize(labelDecades(*each.axis))) again = true;
    if (again) replot(QCustomPlot::rpQueuedReplot);
}

void PlotWidget::putLegendAbove() {
    plotLayout()->insertRow(0);
    plotLayout()->addElement(0, 0, legend);
    plotLayout()->setRowStretchFactor(0, 0.001);
    plotLayout()->setRowSpacing(0);
    legend->setFillOrder(QCPLegend::foColumnsFirst);
    legend->setBorderPen(Qt::NoPen);
    legend->setMargins({unit() / 4, unit() / 3, unit() / 4, unit() / 4});
    legend->setVisible(true);
}

void PlotWidget::setReadout(const QString& text) {
    if (text == readout_) return;
    readout_ = text;
    setAccessibleDescription(text);
    QAccessibleValueChangeEvent event(this, text);
    QAccessible::updateAccessibility(&event);
    Q_EMIT readoutChanged(text);
}

void PlotWidget::dressAxis(QCPAxis* axis, const ThemeColors& colors) const {
    QFont small = font();
    small.setPointSizeF(small.pointSizeF() * 0.92);
    axis->setTickLabelFont(small);
    axis->setLabelFont(small);
    axis->setTickLabelColor(colors.muted);
    axis->setLabelColor(colors.muted);
    axis->setBasePen(QPen(colors.separator));
    axis->setTickPen(QPen(colors.control));
    axis->setSubTickPen(QPen(colors.separator));
    axis->grid()->setPen(QPen(colors.separator));
    axis->grid()->setSubGridVisible(false);
    axis->grid()->setZeroLinePen(Qt::NoPen);
}

void PlotWidget::dressAll() {
    const ThemeColors& colors = themeColors(palette());
    setBackground(QBrush(palette().color(QPalette::Base)));
    for (QCPAxis* axis : {xAxis, yAxis, xAxis2, yAxis2}) dressAxis(axis, colors);
    legend->setFont(font());
    legend->setTextColor(palette().color(QPalette::Text));
    legend->setBrush(Qt::NoBrush);
    for (int i = 0; i < legend->itemCount(); ++i)
        if (legend->item(i)) legend->item(i)->setMargins({0, unit() / 8, 0, unit() / 8});
    selectionRect()->setPen(QPen(colors.accent));
    QColor veil = colors.accent;
    veil.setAlphaF(0.15F);
    selectionRect()->setBrush(veil);
    dress(colors);
    replot(QCustomPlot::rpQueuedReplot);
}

void PlotWidget::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    const auto type = event->type();
    if (type == QEvent::PaletteChange || type == QEvent::FontChange) dressAll();
}

void PlotWidget::showEvent(QShowEvent* event) {
    QCustomPlot::showEvent(event);
    setBufferDevicePixelRatio(devicePixelRatioF());
    dressAll();
}

void PlotWidget::paintEvent(QPaintEvent* event) {
    QCustomPlot::paintEvent(event);
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const ThemeColors& colors = themeColors(palette());
    painter.setPen(hasFocus() ? QPen(colors.accent, 2) : QPen(colors.separator, 1));
    const qreal inset = hasFocus() ? 1 : 0.5;
    painter.drawRoundedRect(QRectF(rect()).adjusted(inset, inset, -inset, -inset), 4, 4);
}

void PlotWidget::focusInEvent(QFocusEvent* event) {
    QCustomPlot::focusInEvent(event);
    update();
}

void PlotWidget::focusOutEvent(QFocusEvent* event) {
    QCustomPlot::focusOutEvent(event);
    update();
}

void DecadeTicker::setDecades(double from, double to) {
    from_ = from;
    to_ = to;
}

bool DecadeTicker::setLabelSize(double decades) {
    const auto strides = {1, 2, 3, 5, 10, 20, 50, 100};
    const int stride = *std::find_if(strides.begin(), strides.end() - 1,
                                     [&](int each) { return each >= decades; });
    // What stands close to a place of ours goes by the size itself: small changes of it are none.
    const bool other = stride != stride_ || std::abs(decades - label_size_) > 0.1 * decades;
    if (!other) return false;
    stride_ = stride;
    label_size_ = decades;
    return true;
}

bool DecadeTicker::hasRoom(double tick) const {
    if (from_ != 0 && (tick <= from_ * 0.99 || tick >= to_ * 1.01)) return false;
    const double exponent = std::log10(tick);
    if (stride_ > 1 && std::abs(std::remainder(exponent, stride_)) > 1e-6) return false;
    return std::none_of(places_.begin(), places_.end(), [&](const Place& place) {
        return std::abs(exponent - std::log10(place.coordinate)) < label_size_;
    });
}

QVector<double> DecadeTicker::createTickVector(double step, const QCPRange& range) {
    QVector<double> ticks;
    for (const double tick : QCPAxisTickerLog::createTickVector(step, range))
        if (hasRoom(tick)) ticks << tick;
    for (const Place& place : places_) ticks << place.coordinate;
    std::sort(ticks.begin(), ticks.end());
    return ticks;
}

QVector<double> DecadeTicker::createSubTickVector(int, const QVector<double>&) {
    return {};
}

QString DecadeTicker::getTickLabel(double tick, const QLocale&, QChar, int) {
    for (const Place& place : places_)
        if (place.coordinate == tick) return place.name;
    const double exponent = std::log10(tick);
    const int nearest = int(std::lround(exponent));
    if (std::abs(exponent - nearest) < 1e-6)
        return nearest == 0 ? QStringLiteral("1") : QStringLiteral("10") + superscript(nearest);
    return QString::number(tick, 'g', 2);
}

}  // namespace lockstep
