// SPDX-License-Identifier: GPL-3.0-or-later
// What Style draws with: each function one part, from its option alone.
#pragma once

#include <QPainter>
#include <QStyleOption>

namespace lockstep::parts {

inline constexpr qreal radius = 6;

void roundedPanel(QPainter* painter, const QRect& rect, const QColor& fill, const QColor& outline,
                  qreal outline_width = 1, qreal corner = radius);
void focusRing(QPainter* painter, const QRect& rect, const QPalette& palette,
               qreal corner = radius);
void chevron(QPainter* painter, const QRect& rect, const QColor& color, bool up = false);

void pushButton(QPainter* painter, const QStyleOption& option, bool primary);
void toolButton(QPainter* painter, const QStyleOption& option);
// Of line edits, combo boxes and spin boxes: the outline is the accent where they have the focus.
void field(QPainter* painter, const QStyleOption& option, const QColor& fill);
void checkBox(QPainter* painter, const QStyleOption& option);
void switchBox(QPainter* painter, const QStyleOption& option);
void radioButton(QPainter* painter, const QStyleOption& option);
void progressBar(QPainter* painter, const QStyleOptionProgressBar& option);
void scrollBarHandle(QPainter* painter, const QStyleOptionSlider& option, const QRect& handle);

}  // namespace lockstep::parts
