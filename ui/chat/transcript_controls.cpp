// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/transcript_controls.h"

#include <QPushButton>
#include <QTimer>
#include <QToolButton>

#include "ui/chat/chat_model.h"
#include "ui/chat/code_block.h"
#include "ui/chat/message_actions.h"
#include "ui/chat/transcript_view.h"
#include "ui/theme/icons.h"

namespace lockstep {
namespace {

constexpr int copied_ms = 1500;

}  // namespace

TranscriptControls::TranscriptControls(TranscriptView* view)
    : QObject(view),
      view_(view),
      last_(makeActions()),
      current_(makeActions()),
      hovered_(makeActions()),
      jump_(new QPushButton(themedIcon(QStringLiteral("arrow-down")), tr("Latest"),
                            view->viewport())) {
    jump_->setObjectName(QStringLiteral("jumpToLatest"));
    jump_->setToolTip(tr("Jump to the latest message"));
    jump_->setAccessibleName(jump_->toolTip());
    jump_->setCursor(Qt::ArrowCursor);
    jump_->hide();
    connect(jump_, &QPushButton::clicked, view, [this] {
        view_->scrollToEnd();
        view_->setFocus(Qt::OtherFocusReason);
    });
}

MessageActions* TranscriptControls::makeActions() {
    auto* actions = new MessageActions(view_->viewport());
    actions->hide();
    connect(actions, &MessageActions::copyRequested, view_, &TranscriptView::copyMessage);
    connect(actions, &MessageActions::editRequested, view_, &TranscriptView::beginEdit);
    connect(actions, &MessageActions::repeatRequested, view_, &TranscriptView::repeatRequested);
    return actions;
}

void TranscriptControls::sync() {
    const int last = view_->model()->turns() - 1;
    const bool inside = current_->hasFocusInside();
    const bool keyboard = view_->hasFocus() || inside;
    const int current = keyboard && view_->currentRow() != last ? view_->currentRow() : -1;
    place(last_, last);
    place(current_, current);
    place(hovered_, hovered_row_ == last || hovered_row_ == current ? -1 : hovered_row_);
    placeCodeButtons();
    placeJumpButton();
}

void TranscriptControls::setHoveredRow(int row) {
    if (row == hovered_row_) return;
    hovered_row_ = row;
    sync();
}

int TranscriptControls::actionsWidth() const {
    return static_cast<int>(view_->textStyle().lineHeight() * 6);
}

void TranscriptControls::place(MessageActions* actions, int row) {
    const ChatModel& model = *view_->model();
    const auto [first, end] = view_->visibleRows();
    const bool editing = view_->isEditing() && view_->currentRow() == row;
    if (row < 0 || row >= model.turns() || row < first || row > end || editing) {
        actions->hide();
        return;
    }
    const ChatTurn& turn = model.turn(row);
    const bool idle = !model.isAnswering();
    if (!idle && row == model.turns() - 1) {
        actions->hide();
        return;
    }
    actions->setTurn(row, turn, idle && row == model.turns() - 1, idle);
    const QRectF footer =
        view_->layoutOf(row).footerRect().translated(view_->rowRect(row).topLeft());
    actions->move(static_cast<int>(footer.right()) - actions->width(),
                  static_cast<int>(footer.center().y()) - actions->height() / 2);
    actions->show();
}

void TranscriptControls::focusActions(int row) {
    for (MessageActions* actions : {last_, current_}) {
        if (actions->isVisible() && actions->row() == row) actions->focusFirst();
    }
}

QToolButton* TranscriptControls::codeButton(size_t index) {
    if (index < code_buttons_.size()) return code_buttons_[index];
    QToolButton* button =
        makeIconButton(QStringLiteral("copy"), tr("Copy code"), view_->viewport());
    QWidget::setTabOrder(
        code_buttons_.empty() ? static_cast<QWidget*>(view_) : code_buttons_.back(), button);
    connect(button, &QToolButton::clicked, view_, [this, button] {
        view_->copyCode(button->property("row").toInt(), button->property("block").toInt());
        button->setIcon(themedIcon(QStringLiteral("check")));
        QTimer::singleShot(copied_ms, button,
                           [button] { button->setIcon(themedIcon(QStringLiteral("copy"))); });
    });
    code_buttons_.push_back(button);
    return button;
}

void TranscriptControls::placeCodeButtons() {
    size_t used = 0;
    const auto [first, last] = view_->visibleRows();
    const QRect seen = view_->viewport()->rect();
    const int strip = static_cast<int>(CodeBlock::headerHeight(view_->textStyle()));
    for (int row = first; row <= last; ++row) {
        const MessageLayout& layout = view_->layoutOf(row);
        const QPoint origin = view_->rowRect(row).topLeft();
        for (int block = qMax(layout.blockAt(-origin.y()), 0); block < layout.blocks(); ++block) {
            const QRectF rect = layout.blockRect(block).translated(origin);
            if (rect.top() > seen.bottom()) break;
            if (layout.source(block).kind != BlockKind::code || !rect.intersects(seen)) continue;
            QToolButton* button = codeButton(used++);
            button->setProperty("row", row);
            button->setProperty("block", block);
            const QString label = CodeBlock::languageLabel(layout.source(block).language);
            button->setAccessibleDescription(tr("The %1 block").arg(label));
            const QSize size = button->sizeHint();
            // Stays in sight while a long block is scrolled through.
            const qreal top =
                qBound<qreal>(rect.top(), seen.top(), qMax(rect.top(), rect.bottom() - strip));
            button->setGeometry(QRect(QPoint(static_cast<int>(rect.right()) - size.width() - 4,
                                             static_cast<int>(top) + (strip - size.height()) / 2),
                                      size));
            button->show();
        }
    }
    for (size_t i = used; i < code_buttons_.size(); ++i) code_buttons_[i]->hide();
}

void TranscriptControls::placeJumpButton() {
    jump_->setVisible(!view_->isAtEnd());
    if (view_->isAtEnd()) return;
    jump_->adjustSize();
    const QRect seen = view_->viewport()->rect();
    jump_->move(
        seen.center().x() - jump_->width() / 2,
        seen.bottom() - jump_->height() - static_cast<int>(view_->textStyle().lineHeight()));
    jump_->raise();
}

}  // namespace lockstep
