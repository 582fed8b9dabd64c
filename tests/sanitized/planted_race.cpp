// SPDX-License-Identifier: GPL-3.0-or-later
// What ThreadSanitizer says of values that cross threads through Qt's queue as the window's do. One
// that is handed over is no race; one that is written on the other side afterwards is, and must be
// found: the checker is checked with a wrong program. Usage: planted_race none|question|answer
#include <QCoreApplication>
#include <QDeadlineTimer>
#include <QThread>
#include <cstdio>
#include <memory>
#include <string_view>

#include "ui/hand_over.h"

using namespace lockstep;

namespace {

struct Exchange {
    int question = 0;
    int answer = 0;
};

// Long enough for the other thread to get on; unlike a sleep, nothing that TSan knows.
void dawdle() {
    const QDeadlineTimer end(200);
    while (!end.hasExpired()) {
    }
}

}  // namespace

int main(int argc, char** argv) {
    QCoreApplication app(argc, argv);
    const std::string_view race = argc > 1 ? argv[1] : "none";
    QThread thread;
    QObject worker, window;
    worker.moveToThread(&thread);
    thread.start();
    const auto exchange = std::make_shared<Exchange>();
    exchange->question = 6;
    const auto show = [exchange] {
        std::printf("%d\n", exchange->answer);
        QCoreApplication::quit();
    };
    const auto reply = [exchange, show, race, &window] {
        exchange->answer = 7 * exchange->question;
        QMetaObject::invokeMethod(&window, QueuedCall{show}, Qt::QueuedConnection);
        if (race != "answer") return;
        dawdle();
        exchange->answer = 0;
    };
    QMetaObject::invokeMethod(&worker, QueuedCall{reply}, Qt::QueuedConnection);
    if (race == "question") exchange->question = 0;
    QCoreApplication::exec();
    thread.quit();
    thread.wait();
    return 0;
}
