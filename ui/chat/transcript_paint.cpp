// SPDX-License-Identifier: GPL-3.0-or-later
#include <QPaintEvent>
#include <QPainter>
#include <QScrollBar>

#include "ui/chat/chat_model.h"
#include "ui/chat/transcript_controls.h"
#include "ui/chat/transcript_view.h"
#include "ui/theme/colors.h"
#include "ui/theme/icons.h"

namespace lockstep {

void TranscriptView::paintEvent(QPaintEvent* event) {
    QPainter painter(viewport());
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setRenderHint(QPainter::TextAntialiasing);
    if (rows_.empty()) return;
    const int first = rowAt(event->rect().top());
    const int last = rowAt(event->rect().bottom());
    for (int row = first; row <= last; ++row) {
        painter.save();
        painter.translate(rowOrigin(row));
        paintRow(painter, row, QRectF(event->rect()).translated(-rowOrigin(row)));
        painter.restore();
    }
}

void TranscriptView::paintRow(QPainter& painter, int row, const QRectF& clip) {
    MessageLayout& layout = *rows_[row];
    const auto [from, to] = std::minmax(anchor_spot_, cursor_spot_);
    MessageLayout::Selection selection;
    if (from != to && row >= from.row && row <= to.row) {
        selection.from = row == from.row ? from.spot : layout.begin();
        selection.to = row == to.row ? to.spot : layout.end();
    }
    layout.paint(painter, clip, selection);
    if (layout.footerRect().intersects(clip)) paintFooter(painter, row);
    if (model_->turn(row).state == TurnState::failed) {
        const QRectF card = layout.errorRect();
        const int extent = static_cast<int>(style_->lineHeight());
        const QPixmap icon = iconPixmap(QStringLiteral("warning"), extent, devicePixelRatioF(),
                                        themeColors(style_->palette).error);
        painter.drawPixmap(
            QPointF(card.x() + style_->lineHeight() * 0.6, card.y() + style_->lineHeight() * 0.5),
            icon);
    }
    if (row != current_ || !show_focus_ || !hasFocus()) return;
    const qreal space = style_->lineHeight() * 0.35;
    QRectF ring(0, 0, columnWidth(), layout.height());
    ring.adjust(-space * 1.6, -space, space * 1.6, space * 0.5);
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(style_->palette.color(QPalette::Highlight), 2));
    painter.drawRoundedRect(ring, space * 1.6, space * 1.6);
}

QString TranscriptView::footerText(int row) const {
    const ChatTurn& turn = model_->turn(row);
    if (turn.author == TurnAuthor::user) return {};
    switch (turn.state) {
        case TurnState::waiting:
            return tr("Reading the prompt");
        case TurnState::streaming:
            return tr("Answering");
        case TurnState::complete:
            return statsText(turn.stats);
        case TurnState::failed:
            return turn.text.isEmpty() ? QString() : tr("Broken off");
    }
    return {};
}

void TranscriptView::paintFooter(QPainter& painter, int row) {
    const QString text = footerText(row);
    if (text.isEmpty()) return;
    const ChatTurn& turn = model_->turn(row);
    const bool busy = turn.state == TurnState::waiting || turn.state == TurnState::streaming;
    QRectF place = rows_[row]->footerRect();
    place.setRight(place.right() - controls_->actionsWidth());
    QFont small = style_->font;
    small.setPointSizeF(QFontInfo(small).pointSizeF() * 0.9);
    painter.setFont(small);
    painter.setPen(themeColors(style_->palette).muted);
    const QFontMetricsF metrics(small);
    const QString shown = metrics.elidedText(text, Qt::ElideRight, place.width());
    painter.drawText(place, Qt::AlignLeft | Qt::AlignVCenter, shown);
    if (!busy) return;
    // Three dots that fill one after the other.
    const qreal dot = metrics.height() * 0.22;
    QPointF center(place.x() + metrics.horizontalAdvance(shown) + dot * 4, place.center().y());
    painter.setPen(Qt::NoPen);
    for (int i = 0; i < 3; ++i) {
        QColor color = themeColors(style_->palette).accent;
        color.setAlphaF(phase_ % 3 == i ? 1.0F : 0.35F);
        painter.setBrush(color);
        painter.drawEllipse(center, dot, dot);
        center.rx() += dot * 3.4;
    }
}

}  // namespace lockstep
