// SPDX-License-Identifier: GPL-3.0-or-later
// Beside the chat: its conversations, and the one that is open saved as it grows.
#pragma once

#include <QTimer>
#include <QWidget>

#include "ui/history/conversation_store.h"

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

    QString problem() const { return store_.problem(); }
    qint64 current() const { return current_; }
    ConversationModel* model() const { return model_; }
    void open(qint64 id);
    void saveNow();

  Q_SIGNALS:
    void currentChanged(qint64 id);

  private:
    void layOut();
    void connectChat();
    void openRow(const QModelIndex& index);
    void removeSelected();
    void select();

    ConversationStore store_;
    ChatPage* chat_;
    ConversationModel* model_;
    QListView* list_;
    QLineEdit* search_;
    QToolButton *rename_, *remove_;
    QTimer save_soon_;
    qint64 current_ = 0;
    bool opening_ = false;
};

}  // namespace lockstep
