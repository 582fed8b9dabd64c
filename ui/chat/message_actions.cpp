// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/chat/message_actions.h"

#include <QHBoxLayout>
#include <QToolButton>

#include "ui/theme/icons.h"

namespace lockstep {

QToolButton* makeIconButton(const QString& icon, const QString& name, QWidget* parent) {
    auto* button = new QToolButton(parent);
    button->setIcon(themedIcon(icon));
    const int extent = qRound(button->fontMetrics().height() * 0.95);
    button->setIconSize({extent, extent});
    button->setAutoRaise(true);
    button->setToolTip(name);
    button->setAccessibleName(name);
    button->setFocusPolicy(Qt::StrongFocus);
    button->setCursor(Qt::ArrowCursor);
    return button;
}

MessageActions::MessageActions(QWidget* parent) : QWidget(parent) {
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(2);
    copy_ = makeIconButton(QStringLiteral("copy"), tr("Copy message"), this);
    edit_ = makeIconButton(QStringLiteral("edit"), tr("Edit and send again"), this);
    repeat_ = makeIconButton(QStringLiteral("regenerate"), tr("Answer again"), this);
    for (QToolButton* button : {copy_, edit_, repeat_}) layout->addWidget(button);
    connect(copy_, &QToolButton::clicked, this, [this] { Q_EMIT copyRequested(row_); });
    connect(edit_, &QToolButton::clicked, this, [this] { Q_EMIT editRequested(row_); });
    connect(repeat_, &QToolButton::clicked, this, [this] { Q_EMIT repeatRequested(row_); });
    setCursor(Qt::ArrowCursor);
}

void MessageActions::setTurn(int row, const ChatTurn& turn, bool can_repeat, bool can_edit) {
    row_ = row;
    const bool user = turn.author == TurnAuthor::user;
    const bool failed = turn.state == TurnState::failed;
    copy_->setVisible(!turn.text.isEmpty());
    edit_->setVisible(user && can_edit);
    repeat_->setVisible(!user && can_repeat);
    repeat_->setToolButtonStyle(failed ? Qt::ToolButtonTextBesideIcon : Qt::ToolButtonIconOnly);
    repeat_->setText(failed ? tr("Try again") : QString());
    repeat_->setToolTip(failed ? tr("Try again") : tr("Answer again"));
    repeat_->setAccessibleName(repeat_->toolTip());
    copy_->setToolTip(user ? tr("Copy message") : tr("Copy answer as Markdown"));
    copy_->setAccessibleName(copy_->toolTip());
    adjustSize();
}

bool MessageActions::hasFocusInside() const {
    return copy_->hasFocus() || edit_->hasFocus() || repeat_->hasFocus();
}

void MessageActions::focusFirst() {
    for (QToolButton* button : {copy_, edit_, repeat_}) {
        if (button->isHidden()) continue;
        button->setFocus(Qt::TabFocusReason);
        return;
    }
}

}  // namespace lockstep
