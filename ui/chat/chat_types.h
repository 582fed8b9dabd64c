// SPDX-License-Identifier: GPL-3.0-or-later
// The values that the chat page is told and tells. They know neither the engine nor a widget.
#pragma once

#include <QMetaType>
#include <QString>
#include <QVector>

namespace lockstep {

// One message as a model's chat template takes it.
struct ChatEntry {
    QString role;  // "system", "user" or "assistant"
    QString content;
    bool operator==(const ChatEntry&) const = default;
};

struct AnswerStats {
    int tokens = 0;
    double tokensPerSecond = 0;    // decode only
    double firstTokenSeconds = 0;  // from the request to the first token
    QString path;                  // "fused", "fused, then reference", ...
    QString stopReason;            // stop_reason_name(): "end_of_text", "max_tokens", ...
    bool operator==(const AnswerStats&) const = default;
};

enum class TurnAuthor { user, assistant };
enum class TurnState {
    complete,
    waiting,    // asked, no text yet
    streaming,  // text arrives
    failed      // ChatTurn::error says why; what had arrived stands
};

// One entry of the transcript.
struct ChatTurn {
    TurnAuthor author = TurnAuthor::user;
    TurnState state = TurnState::complete;
    QString text = {};
    QString error = {};      // of a failed answer
    AnswerStats stats = {};  // of a complete answer
    bool operator==(const ChatTurn&) const = default;
};

}  // namespace lockstep

Q_DECLARE_METATYPE(lockstep::ChatEntry)
Q_DECLARE_METATYPE(lockstep::AnswerStats)
Q_DECLARE_METATYPE(lockstep::ChatTurn)
