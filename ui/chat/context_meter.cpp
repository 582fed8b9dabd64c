// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/context_meter.h"

#include <QLocale>
#include <QPainter>

#include "ui/theme/colors.h"

namespace lockstep {
namespace {

constexpr double nearly_full = 0.8;
constexpr double full = 0.95;

}  // namespace

ContextMeter::ContextMeter(QWidget* parent) : QWidget(parent) {
    setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Preferred);
    setUse(0, 0);
}

void ContextMeter::setUse(qint64 used, qint64 total) {
    used_ = qMax<qint64>(used, 0);
    total_ = qMax<qint64>(total, 0);
    const QLocale locale;
    const QString figures = tr("%1 of %2 tokens of the context are in use")
                                .arg(locale.toString(used_), locale.toString(total_));
    setToolTip(figures);
    setAccessibleName(tr("Context"));
    setAccessibleDescription(figures);
    setVisible(total_ > 0);
    updateGeometry();
    update();
}

double ContextMeter::share() const {
    return total_ > 0 ? qBound(0.0, static_cast<double>(used_) / static_cast<double>(total_), 1.0)
                      : 0;
}

QString ContextMeter::text() const {
    const QLocale locale;
    return QStringLiteral("%1 / %2").arg(locale.toString(used_), locale.toString(total_));
}

QSize ContextMeter::sizeHint() const {
    const QFontMetrics metrics = fontMetrics();
    const int widest = metrics.horizontalAdvance(
        QStringLiteral("%1 / %1").arg(QLocale().toString(qMax<qint64>(total_, 9999))));
    return {widest + metrics.height() * 3, metrics.height() * 3 / 2};
}

void ContextMeter::paintEvent(QPaintEvent*) {
    const ThemeColors& colors = themeColors(palette());
    const qreal unit = fontMetrics().height();
    const qreal bar_width = unit * 2.4;
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(colors.muted);
    const QRectF label(0, 0, width() - bar_width - unit * 0.4, height());
    painter.drawText(label, Qt::AlignRight | Qt::AlignVCenter, text());
    const qreal thickness = unit * 0.3;
    QRectF bar(width() - bar_width, (height() - thickness) / 2, bar_width, thickness);
    painter.setPen(Qt::NoPen);
    painter.setBrush(colors.pressed);
    painter.drawRoundedRect(bar, thickness / 2, thickness / 2);
    painter.setBrush(share() >= full          ? colors.error
                     : share() >= nearly_full ? colors.warning
                                              : colors.accent);
    bar.setWidth(qMax(used_ > 0 ? thickness : 0.0, bar_width * share()));
    painter.drawRoundedRect(bar, thickness / 2, thickness / 2);
}

}  // namespace lockstep
