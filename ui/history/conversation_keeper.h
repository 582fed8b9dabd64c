// SPDX-License-Identifier: GPL-3.0-or-later
// The conversations' store on a thread of its own: who asks gets the answer by a signal, and never
// waits for the disk. Everything is done in the order in which it was asked for.
#pragma once

#include <QObject>
#include <memory>
#include <optional>

#include "ui/background_thread.h"
#include "ui/history/conversation_store.h"

namespace lockstep {

class ConversationKeeper : public QObject {
    Q_OBJECT
  public:
    // file: see ConversationStore.
    explicit ConversationKeeper(const QString& file, QObject* parent = nullptr);
    ~ConversationKeeper() override;  // what was asked for is done first

    void save(qint64 id, const Conversation& conversation);  // id: newConversationId(), or known
    void rename(qint64 id, const QString& title);
    void remove(qint64 id);
    void load(qint64 id);
    int list(const QString& words);  // returns the request's number
    void finish();                   // waits until all of it is done

  Q_SIGNALS:
    void loaded(qint64 id, const std::optional<lockstep::Conversation>& conversation);
    void listed(int request, const QVector<lockstep::ConversationInfo>& found);
    void problemFound(const QString& problem);  // ConversationStore::problem(), once each

  private:
    void post(std::function<void(ConversationStore&)> task);
    void tell(std::function<void()> call);

    std::unique_ptr<ConversationStore> store_;  // the thread's own
    QString told_problem_;                      // the thread's own
    int last_request_ = 0;
    BackgroundThread thread_;
};

}  // namespace lockstep
