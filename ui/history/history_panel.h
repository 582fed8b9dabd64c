// SPDX-License-Identifier: GPL-3.0-or-later
// Beside the chat: its conversations, and the one that is open saved as it grows. The disk is the
// keeper's: a conversation that is opened is shown once it has been read.
#pragma once

#include <QTimer>
#include <QWidget>

#include "ui/history/conversation_keeper.h"

class QLineEdit;
class QListView;
class QToolButton;

namespace lockstep {

class ChatPage;
class ConversationModel;

class HistoryPanel : public QWidget {
    Q_OBJECT
  public:
    // file: see ConversationStore. The page outlives the panel.
    HistoryPanel(const QString& file, ChatPage* chat, QWidget* parent = nullptr);
    ~HistoryPanel() override;

    // 0: nothing of it is kept yet. One that is asked for counts before it is shown.
    qint64 current() const { return opened_ ? opened_ : current_; }
    ConversationModel* model() const { return model_; }
    void open(qint64 id);
    void saveNow();
    void finishSaving() { keeper_->finish(); }  // waits until all of it is on the disk

  Q_SIGNALS:
    void currentChanged(qint64 id);
    void conversationShown();  // one that was kept, in the page
    void problemFound(const QString& problem);  // why conversations cannot be kept

  private:
    void layOut();
    void connectChat();
    void showConversation(qint64 id, const Conversation& conversation);
    void openRow(const QModelIndex& index);
    void removeSelected();
    void select();

    ConversationKeeper* keeper_;
    ChatPage* chat_;
    ConversationModel* model_;
    QListView* list_;
    QLineEdit* search_;
    QToolButton *rename_, *remove_;
    QTimer save_soon_;
    qint64 current_ = 0;
    qint64 opened_ = 0;  // asked for, and not read yet
    bool opening_ = false;
};

}  // namespace lockstep
