// SPDX-License-Identifier: GPL-3.0-or-later
// Conversations in an SQLite file (write-ahead log: a crash loses at most the last second), with a
// full-text index over titles and what was said.
#pragma once

#include <QDateTime>
#include <QString>
#include <QVector>
#include <optional>

#include "ui/chat/chat_types.h"

namespace lockstep {

struct ConversationInfo {
    qint64 id = 0;
    QString title = {};
    QDateTime changed = {};
    bool operator==(const ConversationInfo&) const = default;
};

struct Conversation {
    QString title = {};  // empty: from the first message
    QString system_prompt = {};
    QVector<ChatTurn> turns = {};
    bool operator==(const Conversation&) const = default;
};

class ConversationStore {
  public:
    // file: made where it is not; empty: the user's own.
    explicit ConversationStore(const QString& file);
    ~ConversationStore();
    ConversationStore(const ConversationStore&) = delete;
    ConversationStore& operator=(const ConversationStore&) = delete;

    // Why nothing can be kept (no SQLite driver, an unwritable folder); empty where all is well.
    QString problem() const { return problem_; }

    // id 0: a new one. Returns its id, or 0 where it could not be saved: problem() says why.
    qint64 save(qint64 id, const Conversation& conversation);
    std::optional<Conversation> load(qint64 id);
    // The latest first; only those where every word of `words` begins a word of theirs.
    QVector<ConversationInfo> list(const QString& words = {});
    bool rename(qint64 id, const QString& title);
    bool remove(qint64 id);

  private:
    class Query;
    bool openFile(const QString& file);
    bool makeTables();
    bool saveTurns(qint64 id, const QVector<ChatTurn>& turns);
    bool index(qint64 id);

    QString connection_, problem_;
};

}  // namespace lockstep
