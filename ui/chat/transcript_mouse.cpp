// SPDX-License-Identifier: GPL-3.0-or-later
#include <QApplication>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QDateTime>
#include <QMenu>
#include <QScrollBar>
#include <QStyleHints>
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

}  // namespace

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

}  // namespace lockstep
