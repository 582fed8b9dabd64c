// SPDX-License-Identifier: GPL-3.0-or-later
#include <QTest>
#include <array>
#include <memory>
#include <thread>
#include <vector>

#include "kernels/cpu/cpu_stream.h"
#include "kernels/cpu/read_ahead.h"

using namespace lockstep;

namespace {

// How many lines it asks for.
int lines_of(ReadAhead ahead) {
    int count = 0;
    for (; !ahead.done(); ++count) ahead.lines(1);
    return count;
}
// One step that reads so much on each of two threads.
void step(ReadOrder& order, const char* memory, int64_t bytes, bool changes = false) {
    order.begin(memory);
    order.end(memory, changes, [&](FirstReads& reads) {
        reads.add(0, memory, bytes);
        reads.add(1, memory + 4096, bytes);
    });
}

}  // namespace

class TestReadAhead : public QObject {
    Q_OBJECT
    std::vector<char> memory_ = std::vector<char>(size_t{1} << 20);
    std::unique_ptr<Stream> stream_ = *cpu_device().make_stream(2);

  private Q_SLOTS:
    void every_line_of_the_extents_is_asked_for_once() {
        const char* m = memory_.data();
        const std::vector<Extent> extents{{m, 64}, {m + 1000, 1}, {m + 4096, 65}, {m + 8192, 640}};
        QCOMPARE(lines_of(ReadAhead(extents)), 1 + 1 + 2 + 10);
        ReadAhead ahead(extents);
        ahead.lines(13);
        QVERIFY(!ahead.done());
        ahead.all();
        QVERIFY(ahead.done());
        QVERIFY(ReadAhead().done());
    }
    void so_many_places_and_no_more() {
        FirstReads reads(1);
        for (size_t i = 0; i < FirstReads::most_extents; ++i)
            QVERIFY(reads.add(0, memory_.data() + 128 * i, 64));
        QVERIFY(!reads.add(0, memory_.data() + 128 * FirstReads::most_extents, 64));
        QCOMPARE(reads.of(0).size(), FirstReads::most_extents);
    }
    void neighbours_are_one_extent_and_there_is_an_end() {
        FirstReads reads(2);
        QVERIFY(reads.add(1, memory_.data(), 100));
        QVERIFY(reads.add(1, memory_.data() + 100, 28));
        QCOMPARE(reads.of(0).size(), size_t{0});
        QCOMPARE(reads.of(1).size(), size_t{1});
        QCOMPARE(reads.of(1)[0].bytes, int64_t{128});
        QVERIFY(!reads.add(1, memory_.data() + 4096, FirstReads::most_bytes));
        QVERIFY(!reads.add(1, memory_.data(), 1));
        QCOMPARE(reads.of(1)[0].bytes + reads.of(1)[1].bytes, FirstReads::most_bytes);
    }
    void the_order_of_steps_is_learned() {
        ReadOrder order(*stream_);
        const char *a = memory_.data(), *b = a + 65536;
        QVERIFY(!order.begin(a));
        step(order, a, 64);
        step(order, b, 128);
        QVERIFY(!order.begin(b));  // nothing followed it yet
        step(order, a, 64);
        const FirstReads* after_a = order.begin(a);
        QVERIFY(after_a);
        QCOMPARE(after_a->of(0)[0].first, b);
        QCOMPARE(after_a->of(1)[0].first, b + 4096);
        QCOMPARE(order.begin(b)->of(0)[0].first, a);
    }
    void reads_that_change_are_noted_anew() {
        ReadOrder order(*stream_);
        const char *a = memory_.data(), *b = a + 65536;
        step(order, a, 64, true);
        step(order, b, 64);
        step(order, a, 640, true);
        QCOMPARE(order.begin(b)->of(0)[0].bytes, int64_t{640});
        step(order, a, 64);  // says that it does not change
        QCOMPARE(order.begin(b)->of(0)[0].bytes, int64_t{640});
        ReadOrder alone(*stream_);  // one step after itself
        step(alone, a, 64, true);
        step(alone, a, 640, true);
        QCOMPARE(alone.begin(a)->of(0)[0].bytes, int64_t{640});
    }
    // The caller, where it runs the other's part, finds its own there, too.
    void each_thread_finds_its_own_in_the_body() {
        ThreadPool& pool = cpu_stream(*stream_).pool();
        FirstReads reads(2);
        reads.add(0, memory_.data(), 640);
        reads.add(1, memory_.data(), 128);
        const auto caller = std::this_thread::get_id();
        std::array<int, 2> lines{}, expected{};
        const auto body = [&](int64_t, int64_t, int thread) {
            const auto part = static_cast<size_t>(thread);
            lines[part] = lines_of(pool.read_ahead());
            expected[part] = std::this_thread::get_id() == caller ? 10 : 2;
        };
        for (int i = 0; i < 200; ++i) {
            pool.parallel_for(2, 1, body, &reads);
            QCOMPARE(lines, expected);
        }
        pool.parallel_for(2, 1, body);
        QCOMPARE(lines[0] + lines[1], 0);
    }
};

QTEST_APPLESS_MAIN(TestReadAhead)
#include "tst_read_ahead.moc"
