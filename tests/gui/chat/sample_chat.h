// SPDX-License-Identifier: GPL-3.0-or-later
// Conversations for tests, pictures and benchmarks.
#pragma once

#include <QString>
#include <QVector>

#include "ui/chat/chat_types.h"

namespace lockstep::samples {

QString codeAnswer();   // headings, lists, a table, code in three languages
QString listAnswer();   // nested lists with code inside
QString rightToLeft();  // Arabic and Hebrew, with English inside
QVector<ChatTurn> shortChat();
// `messages` turns, every second an answer of some 2,000 characters with a long code block.
QVector<ChatTurn> longChat(int messages);
// At least `characters` of markdown, to be streamed.
QString longAnswer(int characters);

}  // namespace lockstep::samples
