// SPDX-License-Identifier: GPL-3.0-or-later
// Conversations in an SQLite file (write-ahead log: a crash loses at most the last second), with a
// full-text index over titles and what was said. Each of these calls may wait for the disk, or for
// another program that writes: in the window they are ConversationKeeper's.
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

// Another one each time, also in another program; larger than those that came before.
qint64 newConversationId();

// To be used in the thread that made it.
class ConversationStore {
  public:
    // file: made where it is not; empty: the user's own.
    explicit ConversationStore(const QString& file);
    ~ConversationStore();
    ConversationStore(const ConversationStore&) = delete;
    ConversationStore& operator=(const ConversationStore&) = delete;

    // What could not be kept (no SQLite driver, an unwritable folder), the last one; empty where
    // all is well.
    QString problem() const { return problem_; }

    // id 0: a new one. Returns its id, or 0 where it could not be saved: problem() says why.
    // Turns that are as the file has them, up to the first that is not, are not written again; one
    // that is so as a whole has not changed.
    qint64 save(qint64 id, const Conversation& conversation);
    int turnsWritten() const { return turns_written_; }  // by the last save()
    std::optional<Conversation> load(qint64 id);
    // The latest first; only those where every word of `words` begins a word of theirs.
    QVector<ConversationInfo> list(const QString& words = {});
    bool rename(qint64 id, const QString& title);
    bool remove(qint64 id);

  private:
    class Query;
    bool openFile(const QString& file);
    bool run(const char* sql);
    bool isOurVersion();
    bool makeTables();
    bool saveHead(qint64 id, const Conversation& conversation);
    bool saveTurns(qint64 id, const QVector<ChatTurn>& turns);
    void recall(qint64 id);
    bool isSaved(qint64 id, const Conversation& conversation);
    bool index(qint64 id);
    qint64 othersChanges();

    QString connection_, problem_;
    bool usable_ = false;
    bool busy_ = false;  // the problem was another program that writes
    // What the file holds of one conversation, and othersChanges() then.
    qint64 saved_id_ = 0, saved_at_ = -1;
    Conversation saved_;
    int turns_written_ = 0;
};

}  // namespace lockstep
