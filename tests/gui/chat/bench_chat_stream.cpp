// SPDX-License-Identifier: GPL-3.0-or-later
// How long the GUI thread is away while an answer streams into a long chat:
//   bench_chat_stream [tokens=4000] [tokens a second=200] [messages=400]
// A timer of 1 ms on the GUI thread is the watchdog: a gap between two of its ticks is time in
// which the window could not have answered. Beside the wall time stands the thread's own CPU time
// in the gap: on a busy machine the difference is what other programs took.
// Where the default model is here, two paths of it are compared meanwhile in the last part.
#include <time.h>

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
#include "tests/support/models.h"
#include "ui/chat/chat_model.h"
#include "ui/chat/chat_page.h"
#include "ui/chat/transcript_view.h"
#include "ui/inspector/inspection_thread.h"
#include "ui/theme/theme.h"

using namespace lockstep;

namespace {

double threadCpuMilliseconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

class Watchdog {
  public:
    Watchdog() {
        timer_.setTimerType(Qt::PreciseTimer);
        timer_.setInterval(1);
        QObject::connect(&timer_, &QTimer::timeout, [this] { tick(); });
    }
    void start() {
        wall_.clear();
        cpu_.clear();
        clock_.start();
        last_cpu_ = threadCpuMilliseconds();
        timer_.start();
    }
    void print(const char* what) {
        timer_.stop();
        std::printf(
            "%-28s wall: worst %6.2f ms, 99.9%% %5.2f, 99%% %5.2f, over 16 ms: %d;  "
            "cpu: worst %6.2f ms, 99.9%% %5.2f  (%zu ticks)\n",
            what, share(wall_, 1), share(wall_, 0.999), share(wall_, 0.99), over(wall_, 16),
            share(cpu_, 1), share(cpu_, 0.999), wall_.size());
        std::fflush(stdout);
    }

  private:
    void tick() {
        const double cpu = threadCpuMilliseconds();
        wall_.push_back(static_cast<double>(clock_.nsecsElapsed()) * 1e-6);
        cpu_.push_back(cpu - last_cpu_);
        last_cpu_ = cpu;
        clock_.start();
    }
    static double share(std::vector<double> values, double part) {
        if (values.empty()) return 0;
        std::sort(values.begin(), values.end());
        const auto last = static_cast<double>(values.size() - 1);
        return values[static_cast<size_t>(last * part)];
    }
    static int over(const std::vector<double>& values, double limit) {
        return static_cast<int>(
            std::count_if(values.begin(), values.end(), [&](double v) { return v > limit; }));
    }

    QTimer timer_;
    QElapsedTimer clock_;
    double last_cpu_ = 0;
    std::vector<double> wall_, cpu_;
};

void run(int milliseconds) {
    QEventLoop loop;
    QTimer::singleShot(milliseconds, &loop, &QEventLoop::quit);
    loop.exec();
}

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
                           Watchdog& watchdog) {
    const std::filesystem::path path = test::default_model();
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
    QApplication app(argc, argv);
    const auto number = [&](int at, int otherwise) {
        return argc > at ? QString::fromLocal8Bit(argv[at]).toInt() : otherwise;
    };
    const int tokens = number(1, 4000), rate = number(2, 200), messages = number(3, 400);
    Theme theme;
    theme.setChoice(ThemeChoice::light);
    Watchdog watchdog;
    std::printf("platform %s, %d messages, %d tokens at %d/s\n",
                qPrintable(QGuiApplication::platformName()), messages, tokens, rate);

    ChatPage page;
    page.resize(1000, 900);
    page.setReady(true);
    watchdog.start();
    page.model()->setTurns(samples::longChat(messages));
    page.show();
    run(3000);
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
