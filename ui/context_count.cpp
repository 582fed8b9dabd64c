// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/context_count.h"

#include "core/run/engine.h"
#include "ui/chat_messages.h"
#include "ui/hand_over.h"

namespace lockstep {

ContextCount::~ContextCount() {
    thread_.finish();
}

void ContextCount::count(std::weak_ptr<const Model> wanted,
                         const QVector<ChatEntry>& conversation) {
    const int request = ++latest_;
    thread_.post([this, request, wanted = std::move(wanted), conversation] {
        const auto model = wanted.lock();
        if (!model) return;
        const auto prompt = prepare_chat(*model, chatMessages(conversation));
        if (!prompt) return;  // asked, the engine will say why
        const auto tell = [this, request, tokens = qint64(prompt->ids.size())] {
            if (request == latest_) Q_EMIT counted(tokens);
        };
        QMetaObject::invokeMethod(this, QueuedCall<decltype(tell)>{tell}, Qt::QueuedConnection);
    });
}

}  // namespace lockstep
