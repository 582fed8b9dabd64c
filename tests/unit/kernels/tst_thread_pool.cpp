// SPDX-License-Identifier: GPL-3.0-or-later
#include <QTest>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "kernels/bandwidth.h"
#include "kernels/cpu/thread_pool.h"
#include "kernels/device.h"

using namespace lockstep;

class TestThreadPool : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void every_index_is_visited_once_data() {
        QTest::addColumn<int>("threads");
        for (int threads : {1, 2, 3, 4, 7, 16}) QTest::addRow("%d threads", threads) << threads;
    }
    void every_index_is_visited_once() {
        QFETCH(int, threads);
        ThreadPool pool(threads);
        QCOMPARE(pool.threads(), threads);
        for (int64_t count : {0, 1, 2, 3, 15, 16, 17, 64, 100, 1000, 4099}) {
            for (int64_t grain : {0, 1, 2, 3, 16, 64, 5000}) {
                std::vector<int> visits(count, 0);  // parts are disjoint: no atomics needed
                std::atomic<int> bad_parts{0};
                pool.parallel_for(count, grain, [&](int64_t first, int64_t last, int thread) {
                    const int64_t unit = std::max<int64_t>(grain, 1);
                    const bool on_borders =
                        first % unit == 0 && (last % unit == 0 || last == count);
                    const bool sane = first < last && thread >= 0 && thread < threads;
                    if (!on_borders || !sane) ++bad_parts;
                    for (int64_t i = first; i < last; ++i) ++visits[i];
                });
                QCOMPARE(bad_parts.load(), 0);
                for (int64_t i = 0; i < count; ++i) QCOMPARE(visits[i], 1);
            }
        }
    }
    void each_thread_gets_one_part_and_its_own_number() {
        ThreadPool pool(5);
        std::vector<std::atomic<int>> calls(5);
        pool.parallel_for(500, 1, [&](int64_t, int64_t, int thread) { ++calls[thread]; });
        for (auto& count : calls) QCOMPARE(count.load(), 1);
    }
    void parts_are_balanced() {
        ThreadPool pool(3);
        std::vector<int64_t> sizes(3);
        pool.parallel_for(
            100, 4, [&](int64_t first, int64_t last, int thread) { sizes[thread] = last - first; });
        for (int64_t size : sizes) QVERIFY(size >= 32 && size <= 36);
    }
    void what_bodies_write_is_seen_by_the_caller_and_by_the_next_bodies_data() {
        QTest::addColumn<int>("threads");
        QTest::addColumn<int>("dispatches");
        QTest::newRow("2 threads") << 2 << 100'000;
        QTest::newRow("more threads than cores") << 9 << 2'000;
    }
    void what_bodies_write_is_seen_by_the_caller_and_by_the_next_bodies() {
        QFETCH(int, threads);
        QFETCH(int, dispatches);
        ThreadPool pool(threads);
        std::vector<int> cells(64, 0), next(64, 0);
        for (int i = 0; i < dispatches; ++i) {
            // Each cell takes its neighbour's value, which another thread may have written.
            pool.parallel_for(64, 1, [&](int64_t first, int64_t last, int) {
                for (int64_t c = first; c < last; ++c) next[c] = cells[(c + 1) % 64] + 1;
            });
            std::swap(cells, next);
        }
        for (int value : cells) QCOMPARE(value, dispatches);
    }
    void sleeping_workers_are_woken() {
        ThreadPool pool(3);
        std::atomic<int> calls{0};
        for (int i = 0; i < 20; ++i) {
            QTest::qSleep(2);  // longer than they spin
            pool.parallel_for(3, 1, [&](int64_t, int64_t, int) { ++calls; });
        }
        QCOMPARE(calls.load(), 60);
    }
    void a_nested_call_runs_on_the_worker_it_is_made_from() {
        ThreadPool pool(4);
        std::atomic<int> visits{0}, strays{0};
        pool.parallel_for(8, 1, [&](int64_t first, int64_t last, int outer) {
            for (int64_t i = first; i < last; ++i) {
                pool.parallel_for(10, 1, [&](int64_t from, int64_t to, int inner) {
                    visits += static_cast<int>(to - from);
                    if (inner != outer) ++strays;
                });
            }
        });
        QCOMPARE(visits.load(), 80);
        QCOMPARE(strays.load(), 0);
    }
    // Of so many threads on a few cores most have not begun when the caller has done its own part.
    void parts_that_nobody_began_are_run_by_the_caller() {
        constexpr int threads = 64;
        ThreadPool pool(threads);
        const auto caller = std::this_thread::get_id();
        int run_by_caller = 0;
        for (int i = 0; i < 200; ++i) {
            std::vector<int> visits(threads, 0);
            std::atomic<int> strays{0}, by_caller{0};
            pool.parallel_for(threads, 1, [&](int64_t first, int64_t last, int part) {
                for (int64_t v = first; v < last; ++v) ++visits[static_cast<size_t>(v)];
                if (std::this_thread::get_id() == caller) ++by_caller;
                pool.parallel_for(3, 1, [&](int64_t, int64_t, int inner) {
                    if (inner != part) ++strays;  // scratch goes by this number
                });
            });
            QCOMPARE(visits, std::vector<int>(threads, 1));
            QCOMPARE(strays.load(), 0);
            run_by_caller += by_caller;
        }
        QVERIFY(run_by_caller > 200);  // one of each dispatch is its own
    }
    void two_pools_can_be_used_one_inside_the_other() {
        ThreadPool outer(2), inner(2);
        std::atomic<int> visits{0};
        outer.parallel_for(1, 1, [&](int64_t, int64_t, int) {
            inner.parallel_for(10, 1, [&](int64_t from, int64_t to, int) {
                visits += static_cast<int>(to - from);
            });
        });
        QCOMPARE(visits.load(), 10);
    }
    void pools_come_and_go() {
        for (int i = 0; i < 200; ++i) {
            ThreadPool pool(1 + i % 5);
            std::atomic<int> calls{0};
            if (i % 2)
                pool.parallel_for(100, 1, [&](int64_t a, int64_t b, int) { calls += int(b - a); });
            QCOMPARE(calls.load(), i % 2 ? 100 : 0);
        }
    }
    void bandwidth_is_that_of_a_memory() {
        auto stream = cpu_device().make_stream(0);
        QVERIFY(stream);
        const Result<double> rate = measure_read_bandwidth(**stream, 3);
        QVERIFY2(rate, rate ? "" : rate.error().message.c_str());
        qInfo("%.1f GB/s", *rate);
        QVERIFY(*rate > 0.1 && *rate < 10'000);
    }
};

QTEST_APPLESS_MAIN(TestThreadPool)
#include "tst_thread_pool.moc"
