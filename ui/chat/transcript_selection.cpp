// SPDX-License-Identifier: GPL-3.0-or-later
#include <QApplication>
#include <QClipboard>
#include <QTextBoundaryFinder>

#include "ui/chat/chat_model.h"
#include "ui/chat/transcript_view.h"

namespace lockstep {

TextSpot TranscriptView::spotAt(QPoint point) {
    const int row = rowAt(point.y());
    if (row < 0) return {};
    return {row, rows_[row]->spotAt(point - rowOrigin(row))};
}

QRect TranscriptView::caretRect(TextSpot spot) {
    if (spot.row >= static_cast<int>(rows_.size())) return {};
    return rows_[spot.row]->caretRect(spot.spot).translated(rowOrigin(spot.row)).toAlignedRect();
}

void TranscriptView::select(TextSpot from, TextSpot to) {
    anchor_spot_ = from;
    cursor_spot_ = to;
    viewport()->update();
}

void TranscriptView::clearSelection() {
    select(cursor_spot_, cursor_spot_);
}

// First the message that the keyboard is on, then everything.
void TranscriptView::selectAll() {
    if (rows_.empty()) return;
    const int last = static_cast<int>(rows_.size()) - 1;
    if (current_ >= 0) {
        const TextSpot from{current_, {}}, to{current_, rows_[current_]->end()};
        if (anchor_spot_ != from || cursor_spot_ != to) {
            select(from, to);
            return;
        }
    }
    select({0, {}}, {last, rows_[last]->end()});
}

QString TranscriptView::selectedText() {
    const auto [from, to] = std::minmax(anchor_spot_, cursor_spot_);
    QStringList parts;
    for (int row = from.row; row <= to.row && row < static_cast<int>(rows_.size()); ++row) {
        const Spot begin = row == from.row ? from.spot : Spot{};
        const Spot end = row == to.row ? to.spot : rows_[row]->end();
        parts << rows_[row]->text(begin, end);
    }
    return parts.join(QStringLiteral("\n\n"));
}

void TranscriptView::copySelection() {
    if (hasSelection()) {
        QApplication::clipboard()->setText(selectedText());
    } else if (current_ >= 0) {
        copyMessage(current_);
    }
}

void TranscriptView::copyMessage(int row) {
    QApplication::clipboard()->setText(model_->turn(row).text);
}

void TranscriptView::copyCode(int row, int block) {
    if (row >= static_cast<int>(rows_.size()) || block >= rows_[row]->blocks()) return;
    QApplication::clipboard()->setText(rows_[row]->source(block).text);
}

void TranscriptView::selectWord(TextSpot spot) {
    MessageLayout& layout = *rows_[spot.row];
    if (spot.spot.block >= layout.blocks()) return;
    const QString text = layout.blockText(spot.spot.block);
    QTextBoundaryFinder finder(QTextBoundaryFinder::Word, text);
    finder.setPosition(spot.spot.offset);
    const auto from = finder.isAtBoundary() ? finder.position() : finder.toPreviousBoundary();
    const auto to = finder.toNextBoundary();
    if (from < 0 || to < 0) return;
    select({spot.row, {spot.spot.block, static_cast<int>(from)}},
           {spot.row, {spot.spot.block, static_cast<int>(to)}});
}

void TranscriptView::selectBlock(TextSpot spot) {
    const int length = rows_[spot.row]->blockLength(spot.spot.block);
    select({spot.row, {spot.spot.block, 0}}, {spot.row, {spot.spot.block, length}});
}

}  // namespace lockstep
