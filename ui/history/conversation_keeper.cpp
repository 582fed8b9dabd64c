// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/history/conversation_keeper.h"

#include "ui/hand_over.h"

namespace lockstep {

ConversationKeeper::ConversationKeeper(const QString& file, QObject* parent) : QObject(parent) {
    thread_.post([this, file] { store_ = std::make_unique<ConversationStore>(file); });
    post([](ConversationStore&) {});  // tells at once what keeps it from being opened
}

ConversationKeeper::~ConversationKeeper() {
    thread_.post([this] { store_.reset(); });  // its connection belongs to the thread
    thread_.finish();
}

void ConversationKeeper::post(std::function<void(ConversationStore&)> task) {
    thread_.post([this, task = std::move(task)] {
        task(*store_);
        const QString problem = store_->problem();
        if (problem.isEmpty() || problem == told_problem_) return;
        told_problem_ = problem;
        tell([this, problem] { Q_EMIT problemFound(problem); });
    });
}

void ConversationKeeper::tell(std::function<void()> call) {
    QMetaObject::invokeMethod(this, QueuedCall<std::function<void()>>{std::move(call)},
                              Qt::QueuedConnection);
}

void ConversationKeeper::save(qint64 id, const Conversation& conversation) {
    post([id, conversation](ConversationStore& store) { store.save(id, conversation); });
}

void ConversationKeeper::rename(qint64 id, const QString& title) {
    post([id, title](ConversationStore& store) { store.rename(id, title); });
}

void ConversationKeeper::remove(qint64 id) {
    post([id](ConversationStore& store) { store.remove(id); });
}

void ConversationKeeper::load(qint64 id) {
    post([this, id](ConversationStore& store) {
        tell([this, id, found = store.load(id)] { Q_EMIT loaded(id, found); });
    });
}

int ConversationKeeper::list(const QString& words) {
    const int request = ++last_request_;
    post([this, request, words](ConversationStore& store) {
        tell([this, request, found = store.list(words)] { Q_EMIT listed(request, found); });
    });
    return request;
}

void ConversationKeeper::finish() {
    thread_.finish();
}

}  // namespace lockstep
