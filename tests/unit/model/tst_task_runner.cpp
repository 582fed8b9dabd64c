// SPDX-License-Identifier: GPL-3.0-or-later
#include <QElapsedTimer>
#include <QTest>
#include <atomic>
#include <new>
#include <thread>

#include "core/model/task_runner.h"

using namespace lockstep;
using namespace std::chrono_literals;

class TestTaskRunner : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void every_task_runs_once() {
        std::vector<std::atomic<int>> runs(1000);
        std::vector<std::function<void()>> tasks;
        for (auto& count : runs) tasks.push_back([&count] { ++count; });
        QVERIFY(run_tasks(tasks, 3, [] { return true; }));
        for (const auto& count : runs) QCOMPARE(count.load(), 1);
        QVERIFY(run_tasks({}, 2, [] { return true; }));
    }
    // A task that takes long does not keep the owner from being told.
    void the_owner_is_told_every_50_ms() {
        QElapsedTimer since;
        since.start();
        qint64 longest = 0, calls = 0;
        const auto poll = [&] {
            longest = std::max(longest, since.restart());
            ++calls;
            return true;
        };
        QVERIFY(run_tasks({[] { std::this_thread::sleep_for(300ms); }}, 1, poll));
        QVERIFY2(longest <= 50 && calls >= 6,
                 qPrintable(QString("%1 ms, %2 calls").arg(longest).arg(calls)));
    }
    void false_cancels() {
        std::atomic<int> runs = 0;
        std::vector<std::function<void()>> tasks(1000, [&runs] {
            ++runs;
            std::this_thread::sleep_for(1ms);
        });
        const Status status = run_tasks(tasks, 2, [] { return false; });
        QVERIFY(!status);
        QCOMPARE(status.error().kind, ErrorKind::cancelled);
        QVERIFY2(runs < 500, QByteArray::number(runs));
    }
    void lack_of_memory_is_an_error() {
        const Status status = run_tasks({[] { throw std::bad_alloc(); }}, 2, [] { return true; });
        QVERIFY(!status);
        QCOMPARE(status.error().kind, ErrorKind::out_of_memory);
    }
};

QTEST_APPLESS_MAIN(TestTaskRunner)
#include "tst_task_runner.moc"
