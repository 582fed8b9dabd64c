// SPDX-License-Identifier: GPL-3.0-or-later
// How long the GUI thread is away from its event loop. A timer of 1 ms is the watchdog: a gap
// between two of its ticks is time in which the window could not have answered. Beside the wall
// time stands the thread's own CPU time in the gap: on a busy machine the difference is what other
// programs took. In a WatchedApplication it also says what the loop did in the longest gaps.
//
// The loop must be a QEventLoop's: QTest::qWait() and QTRY_VERIFY() sleep for 10 ms at a time
// themselves. pause() and waitUntil() are here for that.
#pragma once

#include <sys/resource.h>
#include <time.h>

#include <QApplication>
#include <QElapsedTimer>
#include <QEvent>
#include <QEventLoop>
#include <QMap>
#include <QMetaEnum>
#include <QThread>
#include <QTimer>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <utility>
#include <vector>

namespace lockstep::test {

inline double thread_cpu_ms() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

// Times what the GUI thread's event loop hands out, and sees where it had to wait for something (a
// disk, a lock): in that the machine's load plays no part.
class WatchedApplication : public QApplication {
  public:
    struct Event {
        double ms = 0;
        QString what = {};
    };
    using QApplication::QApplication;

    bool notify(QObject* receiver, QEvent* event) override {
        if (depth_ > 0 || QThread::currentThread() != thread())
            return QApplication::notify(receiver, event);
        // Named before: either may be gone after.
        const QString name = nameOf(receiver, event);
        const long waits = waitsSoFar();
        QElapsedTimer clock;
        clock.start();
        ++depth_;
        const bool handled = QApplication::notify(receiver, event);
        --depth_;
        const Event seen{static_cast<double>(clock.nsecsElapsed()) * 1e-6, name};
        if (seen.ms > longest_.ms) longest_ = seen;
        if (waitsSoFar() != waits) waited_.push_back(seen);
        return handled;
    }
    Event takeLongest() { return std::exchange(longest_, {}); }
    std::vector<Event> takeWaited() { return std::exchange(waited_, {}); }

  private:
    static QString nameOf(const QObject* receiver, const QEvent* event) {
        const char* type = QMetaEnum::fromType<QEvent::Type>().valueToKey(event->type());
        return QStringLiteral("%1 %2 (%3)")
            .arg(QLatin1String(receiver->metaObject()->className()), receiver->objectName(),
                 type ? QLatin1String(type) : QString::number(event->type()));
    }
    // How often this thread has given the processor back by itself.
    static long waitsSoFar() {
        rusage use{};
        getrusage(RUSAGE_THREAD, &use);
        return use.ru_nvcsw;
    }

    int depth_ = 0;
    Event longest_;
    std::vector<Event> waited_;
};

class GuiWatchdog {
  public:
    static constexpr double limit_ms = 16;

    GuiWatchdog() {
        timer_.setTimerType(Qt::PreciseTimer);
        timer_.setInterval(1);
        QObject::connect(&timer_, &QTimer::timeout, [this] { tick(); });
    }
    void start() {
        gaps_.clear();
        clock_.start();
        last_cpu_ = thread_cpu_ms();
        if (watched_) (void)watched_->takeLongest(), (void)watched_->takeWaited();
        timer_.start();
    }
    void stop() { timer_.stop(); }

    size_t ticks() const { return gaps_.size(); }
    double wall(double share) const { return quantile(share, &Gap::wall); }
    double cpu(double share) const { return quantile(share, &Gap::cpu); }
    int over(double limit = limit_ms) const {
        return static_cast<int>(std::count_if(gaps_.begin(), gaps_.end(),
                                              [&](const Gap& g) { return g.wall > limit; }));
    }
    // Stops, and prints one line, and one for each of the longest gaps.
    void print(const char* what, size_t longest = 0) {
        stop();
        std::printf(
            "%-28s wall: worst %6.2f ms, 99.9%% %5.2f, 99%% %5.2f, over 16 ms: %d;  "
            "cpu: worst %6.2f ms, 99.9%% %5.2f  (%zu ticks)\n",
            what, wall(1), wall(0.999), wall(0.99), over(), cpu(1), cpu(0.999), ticks());
        if (watched_) printWatched(longest);
        std::fflush(stdout);
    }

  private:
    struct Gap {
        double wall = 0, cpu = 0;  // ms
        WatchedApplication::Event longest = {};
    };

    void printWatched(size_t longest) {
        std::vector<Gap> sorted = gaps_;
        std::sort(sorted.begin(), sorted.end(),
                  [](const Gap& a, const Gap& b) { return a.wall > b.wall; });
        for (size_t i = 0; i < std::min(longest, sorted.size()); ++i)
            std::printf("    %6.2f ms (cpu %6.2f), of it %6.2f ms in %s\n", sorted[i].wall,
                        sorted[i].cpu, sorted[i].longest.ms, qPrintable(sorted[i].longest.what));
        QMap<QString, QVector<double>> waited;
        for (const auto& event : watched_->takeWaited()) waited[event.what].append(event.ms);
        for (auto it = waited.cbegin(); it != waited.cend(); ++it)
            std::printf("    waited %3d times, at most %6.2f ms, in %s\n", int(it->size()),
                        *std::max_element(it->begin(), it->end()), qPrintable(it.key()));
    }
    void tick() {
        const double cpu = thread_cpu_ms();
        Gap gap{static_cast<double>(clock_.nsecsElapsed()) * 1e-6, cpu - last_cpu_};
        if (watched_) gap.longest = watched_->takeLongest();
        gaps_.push_back(gap);
        last_cpu_ = cpu;
        clock_.start();
    }
    double quantile(double share, double Gap::*of) const {
        std::vector<double> values;
        for (const Gap& gap : gaps_) values.push_back(gap.*of);
        if (values.empty()) return 0;
        std::sort(values.begin(), values.end());
        return values[static_cast<size_t>(static_cast<double>(values.size() - 1) * share)];
    }

    WatchedApplication* watched_ = dynamic_cast<WatchedApplication*>(qApp);
    QTimer timer_;
    QElapsedTimer clock_;
    double last_cpu_ = 0;
    std::vector<Gap> gaps_;
};

// As a real event loop waits: it sleeps only where there is nothing to do.
inline void pause(int milliseconds) {
    QEventLoop loop;
    QTimer::singleShot(milliseconds, Qt::PreciseTimer, &loop, &QEventLoop::quit);
    loop.exec();
}

// False: not within that time. What it asks is asked each 2 ms.
inline bool waitUntil(const std::function<bool()>& done, int milliseconds = 120000) {
    QElapsedTimer clock;
    clock.start();
    while (!done()) {
        if (clock.elapsed() > milliseconds) return false;
        pause(2);
    }
    return true;
}

}  // namespace lockstep::test
