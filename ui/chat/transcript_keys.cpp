// SPDX-License-Identifier: GPL-3.0-or-later
#include <QFocusEvent>
#include <QKeyEvent>
#include <QScrollBar>
#include <QTextBoundaryFinder>

#include "ui/chat/transcript_accessible.h"
#include "ui/chat/transcript_controls.h"
#include "ui/chat/transcript_view.h"

namespace lockstep {
namespace {

// The next or last place where a word begins or ends.
int boundary(const QString& text, int offset, bool forward, bool word) {
    QTextBoundaryFinder finder(word ? QTextBoundaryFinder::Word : QTextBoundaryFinder::Grapheme,
                               text);
    finder.setPosition(offset);
    const auto step = [&] {
        return forward ? finder.toNextBoundary() : finder.toPreviousBoundary();
    };
    qsizetype at = step();
    while (word && at > 0 && at < text.size() &&
           !finder.boundaryReasons().testFlag(forward ? QTextBoundaryFinder::EndOfItem
                                                      : QTextBoundaryFinder::StartOfItem)) {
        at = step();
    }
    if (at < 0) return forward ? static_cast<int>(text.size()) : 0;
    return static_cast<int>(at);
}

}  // namespace

void TranscriptView::setCurrentRow(int row) {
    row = qBound(-1, row, static_cast<int>(rows_.size()) - 1);
    if (row == current_) return;
    current_ = row;
    controls_->sync();
    viewport()->update();
    if (row >= 0 && hasFocus()) tellFocusedRow(this, row);
    Q_EMIT currentRowChanged(row);
}

void TranscriptView::focusInEvent(QFocusEvent* event) {
    QAbstractScrollArea::focusInEvent(event);
    show_focus_ = event->reason() == Qt::TabFocusReason ||
                  event->reason() == Qt::BacktabFocusReason ||
                  event->reason() == Qt::ShortcutFocusReason || show_focus_;
    if (current_ < 0) setCurrentRow(static_cast<int>(rows_.size()) - 1);
    controls_->sync();
    viewport()->update();
}

void TranscriptView::focusOutEvent(QFocusEvent* event) {
    QAbstractScrollArea::focusOutEvent(event);
    controls_->sync();
    viewport()->update();
}

void TranscriptView::keyPressEvent(QKeyEvent* event) {
    if (rows_.empty()) return event->ignore();
    if (event->matches(QKeySequence::Copy)) return copySelection();
    if (event->matches(QKeySequence::SelectAll)) return selectAll();
    if (event->key() == Qt::Key_Escape && hasSelection()) return clearSelection();
    show_focus_ = true;
    if (keySelects(event) || keyNavigates(event) || keyScrolls(event)) return;
    event->ignore();
}

bool TranscriptView::keyNavigates(QKeyEvent* event) {
    if (event->modifiers() & ~Qt::KeypadModifier) return false;
    switch (event->key()) {
        case Qt::Key_Up:
            walkRows(-1);
            return true;
        case Qt::Key_Down:
            walkRows(1);
            return true;
        case Qt::Key_Home:
            walkRows(-static_cast<int>(rows_.size()));
            return true;
        case Qt::Key_End:
            walkRows(static_cast<int>(rows_.size()));
            scrollToEnd();
            return true;
        case Qt::Key_Return:
        case Qt::Key_Enter:
            controls_->focusActions(current_);
            return true;
        case Qt::Key_F2:
            beginEdit(current_);
            return true;
        default:
            return false;
    }
}

void TranscriptView::walkRows(int step) {
    setCurrentRow(qBound(0, current_ + step, static_cast<int>(rows_.size()) - 1));
    moveCaret({current_, {}}, false);
    ensureVisible(rowRect(current_));
    ensureVisible(rowRect(current_));  // what came in sight may have changed its height
}

bool TranscriptView::keyScrolls(QKeyEvent* event) {
    QScrollBar* bar = verticalScrollBar();
    const int page = bar->pageStep() * 9 / 10;
    const bool shift = event->modifiers().testFlag(Qt::ShiftModifier);
    int step = 0;
    switch (event->key()) {
        case Qt::Key_PageUp:
            step = -page;
            break;
        case Qt::Key_PageDown:
            step = page;
            break;
        case Qt::Key_Space:
            step = shift ? -page : page;
            break;
        default:
            return false;
    }
    bar->setValue(bar->value() + step);
    setCurrentRow(rowAt(step < 0 ? 0 : viewport()->height() / 2));
    moveCaret({current_, {}}, false);
    return true;
}

bool TranscriptView::keySelects(QKeyEvent* event) {
    if (!event->modifiers().testFlag(Qt::ShiftModifier)) return false;
    const bool word = event->modifiers().testFlag(Qt::ControlModifier);
    switch (event->key()) {
        case Qt::Key_Left:
        case Qt::Key_Right:
        case Qt::Key_Home:
        case Qt::Key_End:
            caret_x_ = -1;
            moveCaret(caretMoved(event->key(), word), true);
            return true;
        case Qt::Key_Up:
        case Qt::Key_Down:
            moveCaret(caretMovedVertically(event->key() == Qt::Key_Down), true);
            return true;
        default:
            return false;
    }
}

void TranscriptView::moveCaret(TextSpot spot, bool keep_anchor) {
    cursor_spot_ = spot;
    if (!keep_anchor) {
        anchor_spot_ = spot;
        caret_x_ = -1;
    } else {
        ensureVisible(caretRect(spot));
    }
    viewport()->update();
}

TextSpot TranscriptView::caretMoved(int key, bool by_word) {
    TextSpot spot = cursor_spot_;
    MessageLayout& layout = *rows_[spot.row];
    if (key == Qt::Key_Home || key == Qt::Key_End) {
        const QRect caret = caretRect(spot);
        const int x = key == Qt::Key_Home ? 0 : viewport()->width();
        return by_word ? TextSpot{spot.row, key == Qt::Key_Home ? layout.begin() : layout.end()}
                       : spotAt({x, caret.center().y()});
    }
    const bool forward = key == Qt::Key_Right;
    const int length = layout.blocks() > 0 ? layout.blockLength(spot.spot.block) : 0;
    if (forward ? spot.spot.offset < length : spot.spot.offset > 0) {
        spot.spot.offset =
            boundary(layout.blockText(spot.spot.block), spot.spot.offset, forward, by_word);
        return spot;
    }
    // Over the border of a block or a message.
    if (forward && spot.spot.block + 1 < layout.blocks())
        return {spot.row, {spot.spot.block + 1, 0}};
    if (!forward && spot.spot.block > 0) {
        const int above = spot.spot.block - 1;
        return {spot.row, {above, layout.blockLength(above)}};
    }
    if (forward && spot.row + 1 < static_cast<int>(rows_.size())) return {spot.row + 1, {}};
    if (!forward && spot.row > 0) return {spot.row - 1, rows_[spot.row - 1]->end()};
    return spot;
}

TextSpot TranscriptView::caretMovedVertically(bool down) {
    const QRect caret = caretRect(cursor_spot_);
    if (caret_x_ < 0) caret_x_ = caret.x();
    // Further and further, until it is another place: gaps between blocks are crossed.
    for (int step = 1; step <= 12; ++step) {
        const int y = down ? caret.bottom() + step * caret.height() / 2
                           : caret.top() - step * caret.height() / 2;
        const TextSpot spot = spotAt({static_cast<int>(caret_x_), y});
        const int moved = caretRect(spot).center().y() - caret.center().y();
        if (down ? moved > caret.height() / 2 : -moved > caret.height() / 2) return spot;
    }
    return cursor_spot_;
}

void TranscriptView::ensureVisible(const QRect& rect) {
    QScrollBar* bar = verticalScrollBar();
    const int margin = static_cast<int>(style_->lineHeight());
    const int page = viewport()->height();
    if (rect.top() < margin || rect.height() > page - 2 * margin) {
        bar->setValue(bar->value() + rect.top() - margin);
    } else if (rect.bottom() > page - margin) {
        bar->setValue(bar->value() + rect.bottom() - page + margin);
    }
}

}  // namespace lockstep
