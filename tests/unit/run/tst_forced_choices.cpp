// SPDX-License-Identifier: GPL-3.0-or-later
// What the GPU's chat is judged with, given right and wrong choices.
#include <QTest>

#include "tests/support/forced_choices.h"

using namespace lockstep::test;

namespace {

// `places` alike: truth chooses token 1, which leads token 0 by 0.3, token 2 by 0.00005 and token 3
// by 9; rounding scatters a difference by `scatter`.
ChoiceRuler ruler_of(size_t places, double scatter, int reference_changes) {
    ChoiceRuler ruler;
    for (size_t i = 0; i < places; ++i) {
        ruler.truth.push_back(1);
        for (const float logit : {9.7f, 10.0f, 9.99995f, 1.0f}) ruler.logits.push_back(logit);
        ruler.scatter.push_back(scatter);
    }
    ruler.reference_changes = reference_changes;
    return ruler;
}

}  // namespace

class TestForcedChoices : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void a_choice_is_excused_by_its_place_data() {
        QTest::addColumn<int>("token");
        QTest::addColumn<double>("scatter");
        QTest::addColumn<QString>("expected");  // exact, ties, by rounding, wrong
        QTest::newRow("truth's") << 1 << 0.0 << "1 0 0 0";
        QTest::newRow("a tie, in f32, too") << 2 << 0.0 << "0 1 0 0";
        QTest::newRow("within four scatters") << 0 << 0.08 << "0 0 1 0";
        QTest::newRow("beyond them") << 0 << 0.07 << "0 0 0 1";
        QTest::newRow("any other in f32") << 0 << 0.0 << "0 0 0 1";
        QTest::newRow("far away") << 3 << 0.08 << "0 0 0 1";
        QTest::newRow("outside the vocabulary") << 4 << 0.08 << "0 0 0 1";
        QTest::newRow("none") << -1 << 0.08 << "0 0 0 1";
    }
    void a_choice_is_excused_by_its_place() {
        QFETCH(int, token);
        QFETCH(double, scatter);
        QFETCH(QString, expected);
        ChoiceCount count;
        const int32_t chosen[] = {token};
        count.add(ruler_of(1, scatter, 1), chosen);
        QCOMPARE(QStringLiteral("%1 %2 %3 %4")
                     .arg(count.exact)
                     .arg(count.ties)
                     .arg(count.by_rounding)
                     .arg(count.wrong),
                 expected);
        QCOMPARE(count.good(), count.wrong == 0);
        QCOMPARE(count.first_wrong.empty(), count.wrong == 0);
    }

    void missing_choices_are_wrong() {
        ChoiceCount count;
        count.add(ruler_of(3, 0.08, 1), std::vector<int32_t>{1});
        QCOMPARE(count.wrong, 2);
        QVERIFY(!count.good());
    }

    // Each is excused by its place, and still they are too many: the reference has 8 of 100.
    void too_many_changes_are_seen_data() {
        QTest::addColumn<int>("changes");
        QTest::addColumn<bool>("good");
        QTest::newRow("20") << 20 << true;
        QTest::newRow("21") << 21 << false;
    }
    void too_many_changes_are_seen() {
        QFETCH(int, changes);
        QFETCH(bool, good);
        std::vector<int32_t> chosen(100, 1);
        std::fill(chosen.begin(), chosen.begin() + changes, 0);
        ChoiceCount count;
        count.add(ruler_of(100, 0.08, 8), chosen);
        QCOMPARE(count.by_rounding, changes);
        QCOMPARE(count.wrong, 0);
        QCOMPARE(count.good(), good);
    }
};

QTEST_APPLESS_MAIN(TestForcedChoices)
#include "tst_forced_choices.moc"
