// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>

#include "ui/chat/message_layout.h"
#include "ui/theme/colors.h"

namespace lockstep {

void MessageLayout::paint(QPainter& painter, const QRectF& clip, const Selection& selection) {
    if (editor_height_ > 0) return;
    paintFrame(painter);
    for (int i = qMax(blockAt(clip.top()), 0); i < blocks(); ++i) {
        const Block& block = blocks_[i];
        const QRectF rect = blockRect(i);
        if (rect.top() > clip.bottom()) break;
        if (block.source.kind == BlockKind::rule) {
            painter.fillRect(QRectF(rect.x(), rect.center().y(), rect.width(), 1),
                             themeColors(style_.palette).separator);
            continue;
        }
        if (!block.render) continue;
        paintMarker(painter, block, rect);
        PaintRequest request{clip.translated(-rect.topLeft())};
        if (!selection.isEmpty() && i >= selection.from.block && i <= selection.to.block) {
            request.selection_from = i == selection.from.block ? selection.from.offset : 0;
            request.selection_to =
                i == selection.to.block ? selection.to.offset : block.render->length();
        }
        painter.save();
        painter.translate(rect.topLeft());
        block.render->paint(painter, request);
        painter.restore();
    }
    if (!error_) return;
    painter.save();
    painter.translate(errorRect().topLeft() +
                      QPointF(style_.lineHeight() * 2, style_.lineHeight() * 0.5));
    error_->paint(painter, {QRectF(0, 0, width_, error_->height())});
    painter.restore();
}

void MessageLayout::paintFrame(QPainter& painter) const {
    const ThemeColors& colors = themeColors(style_.palette);
    const qreal corner = style_.lineHeight() * 0.7;
    painter.setPen(Qt::NoPen);
    if (turn_.author == TurnAuthor::user) {
        painter.setBrush(colors.user_message);
        painter.drawRoundedRect(textRect(), corner, corner);
    }
    if (!error_) return;
    painter.setBrush(colors.error_background);
    painter.drawRoundedRect(errorRect(), corner, corner);
}

void MessageLayout::paintMarker(QPainter& painter, const Block& block, const QRectF& rect) const {
    if (block.source.marker.isEmpty()) return;
    const qreal gap = std::round(style_.averageWidth() * 1.1);
    const qreal width = style_.averageWidth() * 8;
    QRectF place(rect.left() - gap - width, rect.y(), width, std::ceil(style_.lineHeight() * 1.22));
    if (block.right_to_left) place.moveLeft(rect.right() + gap);
    const bool bullet = block.source.marker == QStringLiteral("•");
    const bool hollow = bullet && block.source.depth % 2 == 0;
    painter.setPen(bullet ? themeColors(style_.palette).muted
                          : style_.palette.color(QPalette::Text));
    painter.setFont(style_.font);
    const auto side = block.right_to_left ? Qt::AlignLeft : Qt::AlignRight;
    painter.drawText(place, side | Qt::AlignAbsolute | Qt::AlignTop,
                     hollow ? QStringLiteral("◦") : block.source.marker);
}

}  // namespace lockstep
