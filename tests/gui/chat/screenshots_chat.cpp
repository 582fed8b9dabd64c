// SPDX-License-Identifier: GPL-3.0-or-later
// Draws the chat page's states: screenshots_chat FOLDER. QT_SCALE_FACTOR sets the scale.
#include <QApplication>
#include <QDir>
#include <QTest>
#include <QToolButton>

#include "tests/gui/chat/sample_chat.h"
#include "ui/chat/chat_model.h"
#include "ui/chat/chat_page.h"
#include "ui/chat/composer.h"
#include "ui/chat/growing_text_edit.h"
#include "ui/chat/transcript_view.h"
#include "ui/theme/theme.h"

using namespace lockstep;

namespace {

struct State {
    const char* name;
    void (*show)(ChatPage&);
};

void chatWith(ChatPage& page, const QString& question, const QString& answer) {
    const AnswerStats stats{96, 61.3, 0.18, QStringLiteral("fused, then reference"),
                            QStringLiteral("cancelled")};
    page.model()->setTurns({{.author = TurnAuthor::user, .text = question},
                            {.author = TurnAuthor::assistant, .text = answer, .stats = stats}});
    page.newChatAction();
}

const State states[] = {
    {"no_model",
     [](ChatPage& page) {
         page.setModelName({});
         page.setReady(false, QStringLiteral("Choose a model to begin"));
         page.setContextUse(0, 0);
     }},
    {"empty", [](ChatPage&) {}},
    {"code_top",
     [](ChatPage& page) {
         page.model()->setTurns(samples::shortChat());
         QTest::qWait(150);
         page.transcript()->setFocus(Qt::TabFocusReason);
         QTest::keyClick(page.transcript(), Qt::Key_Home);
     }},
    {"code_end", [](ChatPage& page) { page.model()->setTurns(samples::shortChat()); }},
    {"lists",
     [](ChatPage& page) {
         chatWith(page, QStringLiteral("How do I build it?\nAnd test it?"), samples::listAnswer());
     }},
    {"right_to_left",
     [](ChatPage& page) {
         chatWith(page, QStringLiteral("ما هي RMSNorm؟"), samples::rightToLeft());
     }},
    {"waiting", [](ChatPage& page) { page.send(QStringLiteral("What is a KV cache?")); }},
    {"streaming",
     [](ChatPage& page) {
         page.send(QStringLiteral("Write a fused RMSNorm kernel."));
         page.appendText(samples::codeAnswer().left(900));
     }},
    {"error",
     [](ChatPage& page) {
         page.send(QStringLiteral("Summarise this file."));
         page.failAnswer(QStringLiteral(
             "The prompt has 9,120 tokens, and SmolLM2-135M-Instruct takes 8,192 at most. Shorten "
             "it, or start a new chat."));
     }},
    {"edit",
     [](ChatPage& page) {
         page.model()->setTurns(samples::shortChat());
         QTest::qWait(100);
         page.transcript()->beginEdit(0);
     }},
    {"selection",
     [](ChatPage& page) {
         page.model()->setTurns(samples::shortChat());
         QTest::qWait(100);
         page.transcript()->select({0, {0, 8}}, {1, {3, 400}});
         page.transcript()->setFocus(Qt::TabFocusReason);
         QTest::keyClick(page.transcript(), Qt::Key_Home, Qt::NoModifier);
         page.transcript()->select({0, {0, 8}}, {1, {3, 400}});
     }},
    {"system_prompt",
     [](ChatPage& page) {
         page.setSystemPrompt(QStringLiteral("You are a careful engineer. You answer briefly."));
         page.findChild<QToolButton*>(QStringLiteral("systemPromptToggle"))->click();
         page.composer()->setText(QStringLiteral("First line\nsecond line\nthird line"));
     }},
};

void draw(const State& state, const QString& folder, const QString& theme, QSize size) {
    ChatPage page;
    page.resize(size);
    page.setModelName(QStringLiteral("SmolLM2-135M-Instruct"));
    page.setReady(true);
    page.setContextUse(1284, 8192);
    page.show();
    page.focusComposer();
    QTest::qWait(30);
    state.show(page);
    QTest::qWait(400);  // highlighting comes from its own thread
    const QString file = QStringLiteral("%1/chat_%2_%3_%4.png")
                             .arg(folder, QLatin1String(state.name), theme)
                             .arg(size.width());
    if (!page.grab().save(file)) qFatal("cannot write %s", qPrintable(file));
}

}  // namespace

int main(int argc, char** argv) {
    QApplication app(argc, argv);
    const QStringList arguments = app.arguments();
    if (arguments.size() < 2) {
        qCritical("usage: screenshots_chat FOLDER [STATE]");
        return 2;
    }
    QDir().mkpath(arguments[1]);
    Theme theme;
    for (const ThemeChoice choice : {ThemeChoice::light, ThemeChoice::dark}) {
        theme.setChoice(choice);
        for (const State& state : states) {
            if (arguments.size() > 2 && !arguments.contains(QLatin1String(state.name))) continue;
            for (const QSize size : {QSize(900, 720), QSize(480, 720), QSize(1400, 800)}) {
                if (size.width() != 900 && choice == ThemeChoice::dark) continue;
                draw(state, arguments[1], themeChoiceName(choice), size);
            }
        }
    }
    return 0;
}
