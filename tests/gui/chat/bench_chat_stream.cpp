// SPDX-License-Identifier: GPL-3.0-or-later
// How long the GUI thread is away while an answer streams into a long chat:
//   bench_chat_stream [tokens=4000] [tokens a second=200] [messages=400]
// Where the default model is here, two paths of it are compared meanwhile in the last part.
#include <QApplication>
#include <QElapsedTimer>
#include <QScrollBar>
#include <QTimer>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "core/model/model_loader.h"
#include "tests/gui/chat/sample_chat.h"
#include "tests/gui/gui_watchdog.h"
#include "tests/support/models.h"
#include "ui/chat/chat_model.h"
#include "ui/chat/chat_page.h"
#include "ui/chat/transcript_view.h"
#include "ui/inspector/inspection_thread.h"
#include "ui/theme/theme.h"

using namespace lockstep;
using namespace lockstep::test;

namespace {

// Tells the page from a thread of its own, as the engine's worker does.
void stream(ChatPage& page, const QString& text, int tokens, int tokens_per_second) {
    QEventLoop loop;
    QObject::connect(&page, &ChatPage::answeringChanged, &loop, &QEventLoop::quit,
                     Qt::QueuedConnection);
    std::thread producer([&] {
        const auto begin = std::chrono::steady_clock::now();
        const qsizetype step = std::max<qsizetype>(text.size() / tokens, 1);
        for (int i = 0; i < tokens; ++i) {
            std::this_thread::sleep_until(
                begin + std::chrono::microseconds(1'000'000LL * i / tokens_per_second));
            const QString piece = text.mid(i * step, step);
            QMetaObject::invokeMethod(&page, [&page, piece] { page.appendText(piece); });
        }
        const AnswerStats stats{tokens, double(tokens_per_second), 0.1, QStringLiteral("fused"),
                                QStringLiteral("end_of_text")};
        QMetaObject::invokeMethod(&page, [&page, stats] { page.finishAnswer(stats); });
    });
    loop.exec();
    producer.join();
}

// An inspection of the real model that lasts longer than the stream.
void streamWhileInspecting(ChatPage& page, const QString& text, int tokens, int rate,
                           GuiWatchdog& watchdog) {
    const std::filesystem::path path = default_model();
    const auto model = load_model(path, {});
    if (path.empty() || !model) return;
    InspectionRequest request;
    request.model = *model;
    request.decode_steps = 2;
    for (int i = 0; i < 1000; ++i) request.prompts.push_back(SamplePrompt{33});
    InspectionThread inspection;
    int told = 0;
    QObject::connect(&inspection, &InspectionThread::progressed, [&] { ++told; });
    watchdog.start();
    inspection.inspect(request);
    page.send(QStringLiteral("And once more."));
    stream(page, text, tokens, rate);
    watchdog.print("stream, inspection runs");
    std::printf("the inspection told its progress %d times, and is %s\n", told,
                inspection.isBusy() ? "still running" : "over: too short");
}

}  // namespace

int main(int argc, char** argv) {
    WatchedApplication app(argc, argv);
    const auto number = [&](int at, int otherwise) {
        return argc > at ? QString::fromLocal8Bit(argv[at]).toInt() : otherwise;
    };
    const int tokens = number(1, 4000), rate = number(2, 200), messages = number(3, 400);
    Theme theme;
    theme.setChoice(ThemeChoice::light);
    GuiWatchdog watchdog;
    std::printf("platform %s, %d messages, %d tokens at %d/s\n",
                qPrintable(QGuiApplication::platformName()), messages, tokens, rate);

    ChatPage page;
    page.resize(1000, 900);
    page.setReady(true);
    watchdog.start();
    page.model()->setTurns(samples::longChat(messages));
    page.show();
    pause(3000);
    watchdog.print("open and measure");

    const QString text = samples::longAnswer(tokens * 4);
    watchdog.start();
    page.send(QStringLiteral("Tell me everything."));
    stream(page, text, tokens, rate);
    watchdog.print("stream, at the end");

    // Code alone: one block that stays open.
    QString code = QStringLiteral("```cpp\n");
    while (code.size() < tokens * 4) {
        code += QStringLiteral("    const float value = weights[row * stride + i];  // line\n");
    }
    watchdog.start();
    page.send(QStringLiteral("Now only code."));
    stream(page, code, tokens / 4, rate);
    watchdog.print("stream, one code block");

    // The user reads and scrolls meanwhile.
    QTimer wheel;
    QScrollBar* bar = page.transcript()->verticalScrollBar();
    QObject::connect(&wheel, &QTimer::timeout, [&] { bar->setValue(bar->value() - 60); });
    watchdog.start();
    page.send(QStringLiteral("And again."));
    wheel.start(16);
    stream(page, text, tokens / 4, rate);
    wheel.stop();
    watchdog.print("stream, user scrolls");

    streamWhileInspecting(page, text, tokens / 2, rate, watchdog);
    return 0;
}
