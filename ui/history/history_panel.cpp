// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/history/history_panel.h"

#include <QAction>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QListView>
#include <QScopedValueRollback>
#include <QStyledItemDelegate>
#include <QToolButton>

#include "ui/chat/chat_model.h"
#include "ui/chat/chat_page.h"
#include "ui/history/conversation_model.h"
#include "ui/theme/icons.h"
#include "ui/theme/labels.h"

namespace lockstep {
namespace {

constexpr int save_within_ms = 1000;  // what a crash can lose

// Rows with room to aim at.
class RowDelegate : public QStyledItemDelegate {
  public:
    using QStyledItemDelegate::QStyledItemDelegate;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        const QSize size = QStyledItemDelegate::sizeHint(option, index);
        return {size.width(), option.fontMetrics.height() * 9 / 5};
    }
};

QToolButton* iconButton(const char* icon, const QString& name) {
    auto* button = new QToolButton;
    button->setIcon(themedIcon(QLatin1String(icon)));
    button->setToolTip(name);
    button->setAccessibleName(name);
    button->setAutoRaise(true);
    button->setFocusPolicy(Qt::StrongFocus);
    return button;
}

}  // namespace

HistoryPanel::HistoryPanel(const QString& file, ChatPage* chat, QWidget* parent)
    : QWidget(parent),
      keeper_(new ConversationKeeper(file, this)),
      chat_(chat),
      model_(new ConversationModel(keeper_, this)),
      list_(new QListView),
      search_(new QLineEdit),
      rename_(iconButton("edit", tr("Rename the conversation (F2)"))),
      remove_(iconButton("delete", tr("Delete the conversation (Del)"))) {
    setObjectName(QStringLiteral("history"));
    layOut();
    connectChat();
    save_soon_.setSingleShot(true);
    save_soon_.setInterval(save_within_ms);
    connect(&save_soon_, &QTimer::timeout, this, &HistoryPanel::saveNow);
    connect(search_, &QLineEdit::textChanged, this,
            [this](const QString& words) { model_->setSearch(words); });
    connect(model_, &ConversationModel::refreshed, this, &HistoryPanel::select);
    connect(keeper_, &ConversationKeeper::problemFound, this, &HistoryPanel::problemFound);
    connect(keeper_, &ConversationKeeper::loaded, this,
            [this](qint64 id, const std::optional<Conversation>& conversation) {
                if (id == opened_ && conversation) showConversation(id, *conversation);
            });
    connect(list_, &QListView::clicked, this, &HistoryPanel::openRow);
    connect(list_, &QListView::activated, this, &HistoryPanel::openRow);
    connect(rename_, &QToolButton::clicked, this, [this] { list_->edit(list_->currentIndex()); });
    connect(remove_, &QToolButton::clicked, this, &HistoryPanel::removeSelected);
    auto* remove = new QAction(tr("Delete"), list_);
    remove->setShortcut(QKeySequence::Delete);
    remove->setShortcutContext(Qt::WidgetShortcut);
    connect(remove, &QAction::triggered, this, &HistoryPanel::removeSelected);
    list_->addAction(remove);
}

HistoryPanel::~HistoryPanel() = default;

void HistoryPanel::layOut() {
    const int unit = fontMetrics().height();
    search_->setPlaceholderText(tr("Search"));
    search_->setAccessibleName(tr("Search the conversations"));
    search_->setClearButtonEnabled(true);
    search_->addAction(themedIcon(QStringLiteral("search"), QPalette::PlaceholderText),
                       QLineEdit::LeadingPosition);
    list_->setModel(model_);
    list_->setAccessibleName(tr("Conversations"));
    list_->setFrameShape(QFrame::NoFrame);
    list_->setEditTriggers(QAbstractItemView::EditKeyPressed);
    list_->setTextElideMode(Qt::ElideRight);
    list_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    list_->setUniformItemSizes(true);
    list_->setItemDelegate(new RowDelegate(list_));
    list_->viewport()->setBackgroundRole(QPalette::Window);
    auto* buttons = new QHBoxLayout;
    buttons->addWidget(headingLabel(tr("Conversations"), 1.0));
    buttons->addStretch();
    buttons->addWidget(rename_);
    buttons->addWidget(remove_);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(unit / 2, unit / 3, unit / 3, unit / 3);
    column->addLayout(buttons);
    column->addWidget(search_);
    column->addWidget(list_, 1);
    setMinimumWidth(unit * 11);
}

void HistoryPanel::connectChat() {
    const auto changed = [this] {
        if (!opening_ && !save_soon_.isActive()) save_soon_.start();
    };
    ChatModel* turns = chat_->model();
    connect(turns, &QAbstractItemModel::rowsInserted, this, changed);
    // Who asks something has not waited for the other conversation.
    connect(turns, &QAbstractItemModel::rowsInserted, this, [this] { opened_ = 0; });
    connect(turns, &QAbstractItemModel::rowsRemoved, this, changed);
    connect(turns, &QAbstractItemModel::dataChanged, this, changed);
    connect(chat_, &ChatPage::systemPromptChanged, this, changed);
    connect(chat_, &ChatPage::answeringChanged, this, [this](bool answering) {
        if (!answering && !opening_) saveNow();
    });
    // Before the page forgets what was said; the page saves what is left of an answer that it
    // stops.
    connect(turns, &QAbstractItemModel::modelAboutToBeReset, this, [this] {
        if (!opening_) saveNow();
    });
    connect(chat_, &ChatPage::newChatStarted, this, [this] {
        if (opening_) return;
        current_ = opened_ = 0;
        save_soon_.stop();
        list_->clearSelection();
        Q_EMIT currentChanged(0);
    });
}

void HistoryPanel::saveNow() {
    save_soon_.stop();
    Conversation conversation;
    conversation.system_prompt = chat_->systemPrompt();
    const ChatModel* turns = chat_->model();
    for (int row = 0; row < turns->turns(); ++row) conversation.turns.append(turns->turn(row));
    if (conversation.turns.isEmpty()) return;
    const bool is_new = current_ == 0;
    if (is_new) current_ = newConversationId();
    keeper_->save(current_, conversation);
    model_->refresh();
    if (is_new) Q_EMIT currentChanged(current_);
}

void HistoryPanel::open(qint64 id) {
    opened_ = id == current_ ? 0 : id;
    if (opened_) keeper_->load(id);
}

void HistoryPanel::showConversation(qint64 id, const Conversation& conversation) {
    saveNow();
    const QScopedValueRollback<bool> opening(opening_, true);
    chat_->newChat();  // stops a running answer, and the engine forgets
    chat_->setSystemPrompt(conversation.system_prompt);
    chat_->model()->setTurns(conversation.turns);
    current_ = id;
    opened_ = 0;
    save_soon_.stop();
    select();
    Q_EMIT currentChanged(id);
    Q_EMIT conversationShown();
}

void HistoryPanel::openRow(const QModelIndex& index) {
    if (const qint64 id = model_->idAt(index)) open(id);
}

void HistoryPanel::removeSelected() {
    const QModelIndex index = list_->currentIndex();
    const qint64 id = model_->idAt(index);
    if (!id) return;
    if (id == opened_) opened_ = 0;
    if (id == current_) {
        const QScopedValueRollback<bool> opening(opening_, true);
        chat_->newChat();
        current_ = 0;
        save_soon_.stop();
        Q_EMIT currentChanged(0);
    }
    model_->remove(index);
}

void HistoryPanel::select() {
    const QModelIndex index = model_->indexOf(current_);
    if (index.isValid())
        list_->setCurrentIndex(index);
    else
        list_->clearSelection();
}

}  // namespace lockstep
