// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme/style_parts.h"

#include <QDateTime>
#include <algorithm>

#include "ui/theme/colors.h"

namespace lockstep::parts {
namespace {

bool has(const QStyleOption& option, QStyle::StateFlag flag) {
    return option.state.testFlag(flag);
}

// A fill between two others, for a hovered or pressed accent.
QColor mixed(const QColor& a, const QColor& b, qreal share) {
    return QColor::fromRgbF(static_cast<float>(a.redF() + (b.redF() - a.redF()) * share),
                            static_cast<float>(a.greenF() + (b.greenF() - a.greenF()) * share),
                            static_cast<float>(a.blueF() + (b.blueF() - a.blueF()) * share));
}

QPen roundPen(const QColor& color, qreal width) {
    return QPen(color, width, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin);
}

}  // namespace

void roundedPanel(QPainter* painter, const QRect& rect, const QColor& fill, const QColor& outline,
                  qreal outline_width, qreal corner) {
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(outline.isValid() ? QPen(outline, outline_width) : QPen(Qt::NoPen));
    painter->setBrush(fill.isValid() ? QBrush(fill) : QBrush(Qt::NoBrush));
    const qreal inset = outline.isValid() ? outline_width / 2 : 0;
    painter->drawRoundedRect(QRectF(rect).adjusted(inset, inset, -inset, -inset), corner, corner);
    painter->restore();
}

void focusRing(QPainter* painter, const QRect& rect, const QPalette& palette, qreal corner) {
    roundedPanel(painter, rect, {}, themeColors(palette).accent, 2, corner);
}

void chevron(QPainter* painter, const QRect& rect, const QColor& color, bool up) {
    const qreal half = std::min(rect.width(), rect.height()) * 0.28;
    const QPointF middle = QRectF(rect).center();
    const qreal tip = (up ? -half : half) / 2;
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(roundPen(color, 1.5));
    painter->drawPolyline(QPolygonF(
        {middle + QPointF(-half, -tip), middle + QPointF(0, tip), middle + QPointF(half, -tip)}));
    painter->restore();
}

void pushButton(QPainter* painter, const QStyleOption& option, bool primary) {
    const ThemeColors& colors = themeColors(option.palette);
    const bool enabled = has(option, QStyle::State_Enabled);
    const bool down = has(option, QStyle::State_Sunken) || has(option, QStyle::State_On);
    const bool hovered = has(option, QStyle::State_MouseOver);
    QColor fill = option.palette.color(QPalette::Button);
    QColor outline = enabled ? colors.control : colors.separator;
    if (primary && enabled) {
        fill = mixed(colors.accent, colors.on_accent, down ? 0.16 : hovered ? 0.09 : 0);
        outline = {};
    } else if (enabled && (down || hovered)) {
        fill = down ? colors.pressed : colors.hover;
    }
    roundedPanel(painter, option.rect, fill, outline);
    if (!has(option, QStyle::State_HasFocus)) return;
    focusRing(painter, option.rect, option.palette);
    // On the accent the ring needs an edge of its own.
    if (primary)
        roundedPanel(painter, option.rect.adjusted(2, 2, -2, -2), {}, colors.on_accent, 1, 4);
}

void toolButton(QPainter* painter, const QStyleOption& option) {
    const ThemeColors& colors = themeColors(option.palette);
    const bool down = has(option, QStyle::State_Sunken) || has(option, QStyle::State_On);
    const bool hovered = has(option, QStyle::State_MouseOver) && has(option, QStyle::State_Enabled);
    if (down || hovered)
        roundedPanel(painter, option.rect, down ? colors.pressed : colors.hover, {});
    if (has(option, QStyle::State_HasFocus)) focusRing(painter, option.rect, option.palette);
}

void field(QPainter* painter, const QStyleOption& option, const QColor& fill) {
    const ThemeColors& colors = themeColors(option.palette);
    const bool enabled = has(option, QStyle::State_Enabled);
    const bool focused = enabled && has(option, QStyle::State_HasFocus);
    const QColor outline = focused ? colors.accent : enabled ? colors.control : colors.separator;
    roundedPanel(painter, option.rect, fill, outline, focused ? 2 : 1);
}

void checkBox(QPainter* painter, const QStyleOption& option) {
    const ThemeColors& colors = themeColors(option.palette);
    const bool enabled = has(option, QStyle::State_Enabled);
    const bool on = has(option, QStyle::State_On);
    const QColor accent = enabled ? colors.accent : colors.control;
    roundedPanel(painter, option.rect, on ? accent : option.palette.color(QPalette::Base),
                 on ? accent : colors.control, 1, 4);
    const QRectF box = option.rect;
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(roundPen(on ? colors.on_accent : accent, box.width() / 9));
    const auto at = [&box](qreal x, qreal y) {
        return QPointF(box.left() + box.width() * x, box.top() + box.height() * y);
    };
    if (on) painter->drawPolyline(QPolygonF({at(0.25, 0.52), at(0.43, 0.70), at(0.76, 0.32)}));
    if (has(option, QStyle::State_NoChange)) painter->drawLine(at(0.27, 0.5), at(0.73, 0.5));
    painter->restore();
}

void switchBox(QPainter* painter, const QStyleOption& option) {
    const ThemeColors& colors = themeColors(option.palette);
    const bool enabled = has(option, QStyle::State_Enabled);
    const bool on = has(option, QStyle::State_On);
    const bool mixed_state = has(option, QStyle::State_NoChange);
    const QRectF track = QRectF(option.rect).adjusted(0.5, 0.5, -0.5, -0.5);
    const qreal corner = track.height() / 2;
    const QColor accent = enabled ? colors.accent : colors.control;
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(QPen(on || mixed_state ? accent : colors.control, 1));
    painter->setBrush(on ? accent : option.palette.color(QPalette::Base));
    painter->drawRoundedRect(track, corner, corner);
    const qreal knob = track.height() - 6;
    const qreal x = on            ? track.right() - knob - 3
                    : mixed_state ? track.center().x() - knob / 2
                                  : track.left() + 3;
    painter->setPen(Qt::NoPen);
    painter->setBrush(on ? colors.on_accent : mixed_state ? accent : colors.control);
    painter->drawEllipse(QRectF(x, track.top() + 3, knob, knob));
    painter->restore();
}

void radioButton(QPainter* painter, const QStyleOption& option) {
    const ThemeColors& colors = themeColors(option.palette);
    const bool on = has(option, QStyle::State_On);
    const QRectF circle = QRectF(option.rect).adjusted(0.5, 0.5, -0.5, -0.5);
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(QPen(on ? colors.accent : colors.control, 1));
    painter->setBrush(on ? colors.accent : option.palette.color(QPalette::Base));
    painter->drawEllipse(circle);
    painter->setPen(Qt::NoPen);
    painter->setBrush(colors.on_accent);
    const qreal dot = circle.width() * 0.2;
    if (on) painter->drawEllipse(circle.center(), dot, dot);
    painter->restore();
}

void progressBar(QPainter* painter, const QStyleOptionProgressBar& option) {
    const ThemeColors& colors = themeColors(option.palette);
    const int height = std::min(option.rect.height(), 8);
    QRect groove = option.rect;
    groove.setTop(option.rect.center().y() - height / 2);
    groove.setHeight(height);
    roundedPanel(painter, groove, colors.pressed, {}, 1, height / 2.0);
    QRect filled = groove;
    if (option.maximum > option.minimum) {
        const double share = double(option.progress - option.minimum) /
                             (double(option.maximum) - double(option.minimum));
        filled.setWidth(qRound(std::clamp(share, 0.0, 1.0) * groove.width()));
    } else {
        // How far is not known: a piece that walks.
        filled.setWidth(groove.width() / 4);
        const int way = groove.width() - filled.width();
        const auto phase = QDateTime::currentMSecsSinceEpoch() % 2400 / 1200.0;
        filled.translate(qRound(way * (phase < 1 ? phase : 2 - phase)), 0);
    }
    if (filled.width() >= height) roundedPanel(painter, filled, colors.accent, {}, 1, height / 2.0);
}

void scrollBarHandle(QPainter* painter, const QStyleOptionSlider& option, const QRect& handle) {
    const ThemeColors& colors = themeColors(option.palette);
    const bool held = option.activeSubControls.testFlag(QStyle::SC_ScrollBarSlider) &&
                      (has(option, QStyle::State_Sunken) || has(option, QStyle::State_MouseOver));
    QColor color = colors.control;
    if (!held) color.setAlphaF(0.65F);
    const QRect bar = handle.adjusted(2, 2, -2, -2);
    roundedPanel(painter, bar, color, {}, 1, std::min(bar.width(), bar.height()) / 2.0);
}

}  // namespace lockstep::parts
