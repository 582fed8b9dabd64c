// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/field_frame.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QPainter>

#include "ui/chat/growing_text_edit.h"
#include "ui/theme/colors.h"

namespace lockstep {

FieldFrame::FieldFrame(QWidget* parent) : QFrame(parent), field_(new GrowingTextEdit(this)) {
    field_->setFrameShape(QFrame::NoFrame);
    field_->viewport()->setAutoFillBackground(false);
    field_->installEventFilter(this);
    const int space = fontMetrics().height() / 2;
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(space * 3 / 2, space, space, space);
    layout->addWidget(field_, 1);
    setCursor(Qt::IBeamCursor);
    setFocusProxy(field_);
}

void FieldFrame::paintEvent(QPaintEvent*) {
    const ThemeColors& colors = themeColors(palette());
    const bool focused = field_->hasFocus();
    const qreal corner = fontMetrics().height() * 0.75;
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(focused ? colors.accent : colors.control, focused ? 2 : 1));
    painter.setBrush(palette().color(QPalette::Base));
    painter.drawRoundedRect(QRectF(rect()).adjusted(1, 1, -1, -1), corner, corner);
}

bool FieldFrame::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::FocusIn || event->type() == QEvent::FocusOut) update();
    return QFrame::eventFilter(watched, event);
}

void FieldFrame::mousePressEvent(QMouseEvent*) {
    field_->setFocus(Qt::MouseFocusReason);
}

}  // namespace lockstep
