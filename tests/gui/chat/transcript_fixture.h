// SPDX-License-Identifier: GPL-3.0-or-later
// A transcript on the screen, with what is said put in by the test.
#pragma once

#include <QScrollBar>

#include "ui/chat/chat_model.h"
#include "ui/chat/message_layout.h"
#include "ui/chat/transcript_view.h"

namespace lockstep::test {

struct View {
    ChatModel model;
    TranscriptView view{&model};
    View() {
        view.resize(800, 600);
        view.show();
    }
    QScrollBar* bar() const { return view.verticalScrollBar(); }
    void stream(const QString& text) {
        model.addUser("question");
        model.beginAnswer();
        model.appendToAnswer(text);
    }
    void answer(const QString& text) {
        stream(text);
        model.finishAnswer({});
    }
    QString shown(int row) {
        MessageLayout& layout = view.layoutOf(row);
        return layout.text(layout.begin(), layout.end());
    }
};

}  // namespace lockstep::test
