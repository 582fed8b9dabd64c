// SPDX-License-Identifier: GPL-3.0-or-later
#include <QTest>
#include <algorithm>
#include <utility>
#include <vector>

#include "kernels/cpu/claims.h"

using namespace lockstep;

namespace {

using Piece = std::pair<int64_t, int64_t>;

std::vector<Piece> all_of(Claims& claims, int thread) {
    std::vector<Piece> pieces;
    Pieces left(claims, thread);
    for (int64_t first, last; left.next(first, last);) pieces.emplace_back(first, last);
    return pieces;
}

}  // namespace

class TestClaims : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void a_thread_goes_through_its_share_in_order() {
        std::vector<Share> shares(3);
        Claims claims(shares, 300, 1);
        QCOMPARE(claims.first_of(1), 100);
        QCOMPARE(claims.last_of(1), 200);
        Pieces own(claims, 1);
        int64_t at = 100;
        for (int64_t first = 0, last = 0; at < 200; at = last) {
            QVERIFY(own.next(first, last));
            QCOMPARE(first, at);
            QVERIFY(last > first && last <= 200);
        }
    }
    void who_is_done_takes_half_of_what_another_has_left() {
        std::vector<Share> shares(2);
        Claims claims(shares, 200, 1);
        int64_t first = 0, last = 0;
        QVERIFY(claims.claim(0, first, last));  // and is held up
        QCOMPARE(Piece(first, last), Piece(0, 25));
        const std::vector<Piece> others = all_of(claims, 1);
        const auto taken = std::find_if(others.begin(), others.end(),
                                        [](const Piece& p) { return p.first < 100; });
        QVERIFY(taken != others.end());
        QCOMPARE(taken->first, 63);  // of 25 to 100
        int64_t units = 0;
        for (const Piece& piece : others) units += piece.second - piece.first;
        QCOMPARE(units, 175);
        QVERIFY(!claims.claim(0, first, last));
    }
    void pieces_are_no_smaller_than_asked_for() {
        std::vector<Share> shares(2);
        Claims claims(shares, 64, 8);
        for (const Piece& piece : all_of(claims, 0)) QVERIFY(piece.second - piece.first >= 8);
    }
    void units_of_uneven_size_follow_each_threads_own() {
        std::vector<Share> shares(2);
        Claims claims = Claims::one_by_one(shares, 9, 3);
        QCOMPARE(claims.last_of(1), 6);
        const std::vector<Piece> wanted{{3, 6}, {6, 7}, {7, 8}, {8, 9}, {2, 3}, {1, 2}, {0, 1}};
        QCOMPARE(all_of(claims, 1), wanted);
    }
    void every_unit_is_claimed_once_data() {
        QTest::addColumn<int>("threads");
        for (int threads : {1, 2, 3, 8}) QTest::addRow("%d threads", threads) << threads;
    }
    void every_unit_is_claimed_once() {
        QFETCH(int, threads);
        ThreadPool pool(threads);
        std::vector<Share> shares(static_cast<size_t>(threads));
        std::vector<int> visits(1000);  // each by whoever claimed it
        for (int round = 0; round < 300; ++round) {
            for (int64_t count : {0, 1, 2, 7, 64, 1000}) {
                std::fill(visits.begin(), visits.end(), 0);
                const int64_t own = round % 3 ? count / (2 * threads) : 0;
                Claims claims = round % 2 ? Claims(shares, count, 1 + round % 5)
                                          : Claims::one_by_one(shares, count, own);
                share_out(pool, claims, [&](int, Pieces& pieces) {
                    for (int64_t first, last; pieces.next(first, last);) {
                        for (int64_t i = first; i < last; ++i) ++visits[static_cast<size_t>(i)];
                    }
                });
                for (int64_t i = 0; i < 1000; ++i)
                    QCOMPARE(visits[static_cast<size_t>(i)], i < count ? 1 : 0);
            }
        }
    }
};

QTEST_APPLESS_MAIN(TestClaims)
#include "tst_claims.moc"
