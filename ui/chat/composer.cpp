// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/composer.h"

#include <QBoxLayout>
#include <QPainter>

#include "ui/chat/growing_text_edit.h"
#include "ui/theme/colors.h"
#include "ui/theme/icons.h"

namespace lockstep {
namespace {

constexpr int most_lines = 9;

}  // namespace

RoundButton::RoundButton(QWidget* parent) : QToolButton(parent) {
    setFocusPolicy(Qt::StrongFocus);
    setCursor(Qt::ArrowCursor);
    setAttribute(Qt::WA_Hover);
}

void RoundButton::show(const QString& icon, const QString& name) {
    icon_ = icon;
    setAccessibleName(name);
    setToolTip(name);
    update();
}

QSize RoundButton::sizeHint() const {
    const int extent = fontMetrics().height() * 17 / 10;
    return {extent, extent};
}

void RoundButton::paintEvent(QPaintEvent*) {
    const ThemeColors& colors = themeColors(palette());
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    QRectF disc = QRectF(rect()).adjusted(2.5, 2.5, -2.5, -2.5);
    QColor fill = isEnabled() ? colors.accent : colors.pressed;
    if (isEnabled() && (isDown() || underMouse()))
        fill = isDown() ? fill.darker(120) : fill.lighter(110);
    painter.setPen(Qt::NoPen);
    painter.setBrush(fill);
    painter.drawEllipse(disc);
    const int extent = qRound(disc.width() * 0.62);
    const QPixmap icon = iconPixmap(icon_, extent, devicePixelRatioF(),
                                    isEnabled() ? colors.on_accent : colors.muted);
    painter.drawPixmap(QPointF(disc.center().x() - extent / 2.0, disc.center().y() - extent / 2.0),
                       icon);
    if (!hasFocus()) return;
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(palette().color(QPalette::Text), 1.5));
    painter.drawEllipse(QRectF(rect()).adjusted(0.75, 0.75, -0.75, -0.75));
}

Composer::Composer(QWidget* parent) : FieldFrame(parent), button_(new RoundButton(this)) {
    field()->setAccessibleName(tr("Message"));
    field()->setMaximumLines(most_lines);
    button_->setObjectName(QStringLiteral("sendOrStop"));
    auto* box = static_cast<QBoxLayout*>(layout());
    box->setAlignment(field(), Qt::AlignVCenter);
    box->addWidget(button_, 0, Qt::AlignBottom);
    connect(field(), &QPlainTextEdit::textChanged, this, &Composer::showState);
    connect(field(), &GrowingTextEdit::submitted, this, &Composer::trySend);
    connect(button_, &QToolButton::clicked, this, [this] {
        if (answering_) {
            Q_EMIT stopRequested();
        } else {
            trySend();
        }
    });
    showState();
}

QString Composer::text() const {
    return field()->toPlainText();
}

void Composer::setText(const QString& text) {
    field()->setPlainText(text);
    field()->moveCursor(QTextCursor::End);
}

void Composer::setAnswering(bool answering) {
    answering_ = answering;
    showState();
}

void Composer::setReady(bool ready, const QString& reason) {
    ready_ = ready;
    reason_ = reason;
    showState();
}

void Composer::clearAfterSending() {
    field()->addToHistory(text());
    field()->clear();
}

void Composer::trySend() {
    if (ready_ && !answering_ && !text().trimmed().isEmpty()) Q_EMIT sendRequested(text());
}

void Composer::showState() {
    const bool says_why = !ready_ && !reason_.isEmpty();
    field()->setPlaceholderText(says_why ? reason_ : tr("Write a message"));
    field()->setAccessibleDescription(
        says_why ? reason_
                 : tr("Enter sends, Shift Enter breaks the line, Up brings back what was sent"));
    button_->show(answering_ ? QStringLiteral("stop") : QStringLiteral("send"),
                  answering_ ? tr("Stop (Esc)") : tr("Send (Enter)"));
    if (says_why && !answering_) button_->setToolTip(reason_);
    const bool enabled = answering_ || (ready_ && !text().trimmed().isEmpty());
    // A disabled button would take the focus with it.
    if (!enabled && button_->hasFocus()) field()->setFocus(Qt::OtherFocusReason);
    button_->setEnabled(enabled);
}

}  // namespace lockstep
