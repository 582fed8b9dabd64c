// SPDX-License-Identifier: GPL-3.0-or-later
#include <QApplication>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QDateTime>
#include <QMenu>
#include <QScrollBar>
#include <QStyleHints>
#include <QTextBoundaryFinder>
#include <QToolTip>

#include "ui/chat/chat_model.h"
#include "ui/chat/transcript_controls.h"
#include "ui/chat/transcript_view.h"

namespace lockstep {
namespace {

constexpr int drag_interval_ms = 40;
constexpr int most_links_in_menu = 12;

bool mayOpen(const QUrl& url) {
    return url.scheme() == QLatin1String("https") || url.scheme() == QLatin1String("http");
}

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

// Selection

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

// Mouse

void TranscriptView::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || rows_.empty()) return;
    show_focus_ = false;
    const QPoint point = event->position().toPoint();
    pressed_link_ = linkAt(point);
    const TextSpot spot = spotAt(point);
    const qint64 now = QDateTime::currentMSecsSinceEpoch();
    const bool again =
        now - last_click_ < QGuiApplication::styleHints()->mouseDoubleClickInterval();
    clicks_ = again ? clicks_ + 1 : 1;
    last_click_ = now;
    setCurrentRow(spot.row);
    if (clicks_ == 3 && rows_[spot.row]->blocks() > 0) {
        selectBlock(spot);
        return;
    }
    const bool extend = event->modifiers().testFlag(Qt::ShiftModifier);
    select(extend ? anchor_spot_ : spot, spot);
    dragging_ = true;
}

void TranscriptView::mouseDoubleClickEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || rows_.empty()) return;
    clicks_ = 2;
    last_click_ = QDateTime::currentMSecsSinceEpoch();
    selectWord(spotAt(event->position().toPoint()));
}

void TranscriptView::mouseMoveEvent(QMouseEvent* event) {
    const QPoint point = event->position().toPoint();
    if (!dragging_) {
        updateCursorShape(point);
        controls_->setHoveredRow(rowAt(point.y()));
        return;
    }
    drag_point_ = point;
    dragTo(point);
    if (viewport()->rect().contains(point)) {
        drag_timer_.stop();
    } else if (!drag_timer_.isActive()) {
        drag_timer_.start(drag_interval_ms, this);
    }
}

void TranscriptView::dragTo(QPoint point) {
    const QRect seen = viewport()->rect();
    if (point.y() < seen.top() || point.y() > seen.bottom()) {
        const int beyond =
            point.y() < seen.top() ? point.y() - seen.top() : point.y() - seen.bottom();
        verticalScrollBar()->setValue(verticalScrollBar()->value() + beyond / 2);
    }
    const QPoint inside(point.x(), qBound(seen.top(), point.y(), seen.bottom()));
    select(anchor_spot_, spotAt(inside));
}

void TranscriptView::mouseReleaseEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) return;
    dragging_ = false;
    drag_timer_.stop();
    const QString link = std::exchange(pressed_link_, {});
    if (hasSelection()) {
        QClipboard* clipboard = QApplication::clipboard();
        if (clipboard->supportsSelection()) {
            clipboard->setText(selectedText(), QClipboard::Selection);
        }
    } else if (!link.isEmpty() && linkAt(event->position().toPoint()) == link) {
        activateLink(link);
    }
}

bool TranscriptView::viewportEvent(QEvent* event) {
    if (event->type() == QEvent::Leave) {
        const bool over_child = viewport()->underMouse() &&
                                viewport()->childAt(viewport()->mapFromGlobal(QCursor::pos()));
        if (!over_child) controls_->setHoveredRow(-1);
    } else if (event->type() == QEvent::ToolTip) {
        auto* help = static_cast<QHelpEvent*>(event);
        const QString link = linkAt(help->pos());
        if (link.isEmpty()) {
            QToolTip::hideText();
        } else {
            QToolTip::showText(help->globalPos(), link.toHtmlEscaped(), viewport());
        }
        return true;
    }
    return QAbstractScrollArea::viewportEvent(event);
}

QString TranscriptView::linkAt(QPoint point) {
    const int row = rowAt(point.y());
    return row < 0 ? QString() : rows_[row]->linkAt(point - rowOrigin(row));
}

// Only what a browser shows: a file or a program must not be a click away from what a model writes.
void TranscriptView::activateLink(const QString& link) {
    const QUrl url(link, QUrl::StrictMode);
    if (url.isValid() && mayOpen(url)) Q_EMIT linkActivated(url);
}

void TranscriptView::updateCursorShape(QPoint point) {
    const bool link = !linkAt(point).isEmpty();
    viewport()->setCursor(link ? Qt::PointingHandCursor : Qt::IBeamCursor);
}

void TranscriptView::contextMenuEvent(QContextMenuEvent* event) {
    if (rows_.empty()) return;
    const bool mouse = event->reason() == QContextMenuEvent::Mouse;
    const QPoint point = viewport()->mapFromGlobal(event->globalPos());
    const int row = mouse || current_ < 0 ? rowAt(point.y()) : current_;
    const ChatTurn& turn = model_->turn(row);
    const bool idle = !model_->isAnswering();
    QMenu menu(this);
    QAction* copy = menu.addAction(tr("Copy"), this, &TranscriptView::copySelection);
    copy->setShortcut(QKeySequence::Copy);
    copy->setEnabled(hasSelection());
    menu.addAction(
        turn.author == TurnAuthor::user ? tr("Copy message") : tr("Copy answer as Markdown"), this,
        [this, row] { copyMessage(row); });
    if (turn.author == TurnAuthor::user) {
        menu.addAction(tr("Edit and send again"), this, [this, row] { beginEdit(row); })
            ->setEnabled(idle);
    } else if (row == model_->turns() - 1) {
        menu.addAction(tr("Answer again"), this, [this, row] { Q_EMIT repeatRequested(row); })
            ->setEnabled(idle);
    }
    addLinksTo(menu, row);
    menu.addSeparator();
    menu.addAction(tr("Select all"), this, &TranscriptView::selectAll)
        ->setShortcut(QKeySequence::SelectAll);
    const QPoint below = rowRect(row).topLeft() + QPoint(0, static_cast<int>(style_->lineHeight()));
    menu.exec(mouse ? event->globalPos() : viewport()->mapToGlobal(below));
}

void TranscriptView::addLinksTo(QMenu& menu, int row) {
    const QStringList links = rows_[row]->links().mid(0, most_links_in_menu);
    if (links.isEmpty()) return;
    menu.addSeparator();
    for (const QString& link : links) {
        const QString shown =
            fontMetrics().elidedText(link, Qt::ElideMiddle, 40 * fontMetrics().averageCharWidth());
        menu.addAction(
                tr("Open %1").arg(QString(shown).replace(QLatin1Char('&'), QLatin1String("&&"))),
                this, [this, link] { activateLink(link); })
            ->setEnabled(mayOpen(QUrl(link)));
    }
}

// Keyboard

void TranscriptView::setCurrentRow(int row) {
    row = qBound(-1, row, static_cast<int>(rows_.size()) - 1);
    if (row == current_) return;
    current_ = row;
    controls_->sync();
    viewport()->update();
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
