// SPDX-License-Identifier: GPL-3.0-or-later
// A conversation as the page tells it, for a model's chat template.
#pragma once

#include <QVector>
#include <vector>

#include "core/text/chat_template.h"
#include "ui/chat/chat_types.h"

namespace lockstep {

inline std::vector<ChatMessage> chatMessages(const QVector<ChatEntry>& conversation) {
    std::vector<ChatMessage> messages;
    for (const ChatEntry& entry : conversation)
        messages.push_back({entry.role.toStdString(), entry.content.toStdString()});
    return messages;
}

}  // namespace lockstep
