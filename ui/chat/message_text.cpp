// SPDX-License-Identifier: GPL-3.0-or-later
// What of a message can be selected, copied and followed.
#include "ui/chat/message_layout.h"

namespace lockstep {

Spot MessageLayout::end() {
    prepare();
    if (blocks_.empty()) return {};
    return {blocks() - 1, blockLength(blocks() - 1)};
}

int MessageLayout::blockLength(int block) {
    prepare();
    return blocks_[block].source.kind == BlockKind::rule ? 0 : render(block)->length();
}

Spot MessageLayout::spotAt(QPointF point) {
    prepare();
    const int block = blockAt(point.y());
    if (block < 0) return {};
    layOut(block);
    if (blocks_[block].source.kind == BlockKind::rule) return {block, 0};
    return {block, render(block)->offsetAt(point - blockRect(block).topLeft())};
}

QRectF MessageLayout::caretRect(Spot spot) {
    prepare();
    if (spot.block >= blocks()) return {};
    layOut(spot.block);
    const QPointF origin = blockRect(spot.block).topLeft();
    if (blocks_[spot.block].source.kind == BlockKind::rule) {
        return {origin, QSizeF(1, style_.lineHeight())};
    }
    return render(spot.block)->caretRect(spot.offset).translated(origin);
}

QString MessageLayout::linkAt(QPointF point) {
    const int block = blockAt(point.y());
    if (block < 0 || !blocks_[block].render) return {};
    return render(block)->linkAt(point - blockRect(block).topLeft());
}

QStringList MessageLayout::links() {
    prepare();
    QStringList links;
    for (int i = 0; i < blocks(); ++i) {
        if (blocks_[i].source.kind != BlockKind::rule) links << render(i)->links();
    }
    links.removeDuplicates();
    return links;
}

QString MessageLayout::blockText(int block) {
    return blocks_[block].source.kind == BlockKind::rule
               ? QString()
               : render(block)->text(0, blockLength(block));
}

QString MessageLayout::text(Spot from, Spot to) {
    prepare();
    QString all;
    for (int i = from.block; i <= to.block && i < blocks(); ++i) {
        const MarkdownBlock& block = blocks_[i].source;
        const int begin = i == from.block ? from.offset : 0;
        const int end = i == to.block ? to.offset : blockLength(i);
        if (i > from.block && !block.continued) {
            const bool tight = !block.marker.isEmpty() && !block.blank_before;
            all += tight ? QStringLiteral("\n") : QStringLiteral("\n\n");
        }
        if (begin == 0 && !block.marker.isEmpty()) {
            all +=
                QString(2 * (block.depth - 1), QLatin1Char(' ')) + block.marker + QLatin1Char(' ');
        }
        if (block.kind != BlockKind::rule) all += render(i)->text(begin, end);
    }
    return all;
}

}  // namespace lockstep
