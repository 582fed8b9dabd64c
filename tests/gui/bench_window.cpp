// SPDX-License-Identifier: GPL-3.0-or-later
// How long the GUI thread is away while the real window lives through a busy day, in a chat with a
// history: answers are stopped and asked for again, kernels are toggled mid-answer, the model is
// loaded again:
//   bench_window [stops=100] [toggles=50] [reloads=20] [messages=12] [model]
// Needs the default model, or one that is named.
#include <QAction>
#include <QToolButton>

#include "tests/gui/chat/sample_chat.h"
#include "tests/gui/gui_watchdog.h"
#include "tests/gui/window_fixture.h"
#include "ui/check/path_check.h"
#include "ui/history/conversation_store.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

constexpr size_t told = 8;  // of the longest gaps
constexpr int reading_ms = 30;

bool answered(const MainWindow& window) {
    return waitUntil([&] { return !window.chat()->isAnswering(); });
}

// By the event loop, so that the watchdog sees what it costs.
void click(QToolButton* button) {
    QMetaObject::invokeMethod(button, &QToolButton::click, Qt::QueuedConnection);
}
void trigger(QAction* action) {
    QMetaObject::invokeMethod(action, &QAction::trigger, Qt::QueuedConnection);
}

void stopAndRepeat(MainWindow& window, int times) {
    // The last message's stays the same button.
    auto* const again = named<QToolButton>(window.chat(), QStringLiteral("Answer again"));
    QAction* const stop = window.findChild<QAction*>(QStringLiteral("stop"));
    for (int i = 0; again && i < times; ++i) {
        click(again);
        pause(reading_ms);
        trigger(stop);
        pause(0);
        if (!answered(window)) return;
    }
}

void toggle(MainWindow& window, int times) {
    window.chat()->send(QStringLiteral("And a long one, please."));
    QAction* const fused = window.findChild<QAction*>(QStringLiteral("fused"));
    for (int i = 0; i < times; ++i) {
        pause(reading_ms);
        trigger(fused);
    }
    trigger(window.findChild<QAction*>(QStringLiteral("stop")));
    answered(window);
}

void reload(MainWindow& window, const QString& model, int times) {
    for (int i = 0; i < times; ++i) {
        window.openModel(model);
        if (!waitUntil([&] { return !window.isLoading(); })) return;
    }
}

}  // namespace

int main(int argc, char** argv) {
    WatchedApplication app(argc, argv);
    const auto number = [&](int at, int otherwise) {
        return argc > at ? QString::fromLocal8Bit(argv[at]).toInt() : otherwise;
    };
    const QString model = argc > 5 ? QString::fromLocal8Bit(argv[5]) : defaultModel();
    if (model.isEmpty()) {
        std::fprintf(stderr, "the default model is not here: ./lockstep test fetches it\n");
        return 2;
    }
    WindowFixture fixture;
    Conversation history{{}, {}, samples::longChat(number(4, 12))};
    fixture.conversation = ConversationStore(fixture.path("conversations.sqlite")).save(0, history);
    MainWindow& window = fixture.open(model);
    fixture.change([](Settings& s) { s.max_tokens = 0; });
    const auto settled = [&] {
        return !window.isLoading() &&
               window.check()->result().state != CheckedPath::State::checking;
    };
    if (!waitUntil(settled)) return 1;
    std::printf("platform %s, %d messages\n", qPrintable(QGuiApplication::platformName()),
                window.chat()->model()->turns());
    window.chat()->send(QStringLiteral("Tell me a very long story about a ship."));
    waitUntil([&] { return !fixture.lastText().isEmpty(); });
    window.findChild<QAction*>(QStringLiteral("stop"))->trigger();
    answered(window);

    GuiWatchdog watchdog;
    watchdog.start();
    stopAndRepeat(window, number(1, 100));
    watchdog.print("stop and answer again", told);
    watchdog.start();
    toggle(window, number(2, 50));
    watchdog.print("toggles mid-answer", told);
    watchdog.start();
    reload(window, model, number(3, 20));
    watchdog.print("model loaded again", told);
    fixture.close();
    return 0;
}
