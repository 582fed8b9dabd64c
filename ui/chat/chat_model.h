// SPDX-License-Identifier: GPL-3.0-or-later
// The transcript as an item model: one row a turn, in order. At most the last row is unfinished.
#pragma once

#include <QAbstractListModel>

#include "ui/chat/chat_types.h"

namespace lockstep {

class ChatModel : public QAbstractListModel {
    Q_OBJECT
  public:
    enum Role {
        TextRole = Qt::UserRole,  // QString; also Qt::DisplayRole
        AuthorRole,               // TurnAuthor as int
        StateRole,                // TurnState as int
        ErrorRole,                // QString
        StatsRole                 // AnswerStats
    };
    Q_ENUM(Role)

    using QAbstractListModel::QAbstractListModel;

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QHash<int, QByteArray> roleNames() const override;

    const ChatTurn& turn(int row) const { return turns_[row]; }
    int turns() const { return static_cast<int>(turns_.size()); }
    bool isAnswering() const;

    void setTurns(QVector<ChatTurn> turns);
    void addUser(const QString& text);
    void beginAnswer();
    // The three that follow concern the unfinished last row; without one they do nothing.
    void appendToAnswer(const QString& piece);
    void finishAnswer(const AnswerStats& stats);
    void failAnswer(const QString& message);
    void truncate(int rows);  // drops the rows from `rows` on

    // For a chat template: roles alternate from the first user entry on. An answer without text is
    // left out, and the question before it too, unless that is the last entry.
    QVector<ChatEntry> conversation() const;

  private:
    void changed(int row, const QVector<int>& roles);

    QVector<ChatTurn> turns_;
};

// What the stop reason means to a reader; empty for the usual one.
QString stopReasonText(const QString& reason);
// "fused · 128 tokens · 53.2 tok/s · first token 0.21 s"
QString statsText(const AnswerStats& stats);
QString markdownOf(const QVector<ChatTurn>& turns, const QString& system_prompt);

}  // namespace lockstep
