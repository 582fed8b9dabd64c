// SPDX-License-Identifier: GPL-3.0-or-later
// The sampler keeps what transformers' warpers keep, draws what it keeps, and never picks nonsense.
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTest>
#include <bit>
#include <cmath>
#include <limits>
#include <map>

#include "core/run/portable_exp.h"
#include "core/run/sampler.h"

using lockstep::Sampler;
using lockstep::SamplingOptions;
using lockstep::TokenLogprob;
using Floats = std::vector<float>;
using Ids = std::vector<int32_t>;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float no_number = std::numeric_limits<float>::quiet_NaN();

SamplingOptions plain(double temperature = 1) {
    SamplingOptions options;
    options.temperature = temperature;
    return options;
}

// The ids kept, the most likely first.
Ids kept(const SamplingOptions& options, const Floats& logits, const Ids& history = {}) {
    Sampler sampler(options, int32_t(logits.size()));
    Ids ids;
    const auto kept_tokens = sampler.distribution(logits, history);
    if (!kept_tokens) return {-1};
    for (const TokenLogprob& token : *kept_tokens) ids.push_back(token.id);
    return ids;
}

SamplingOptions options_of(const QJsonObject& json) {
    SamplingOptions options;
    options.temperature = json["temperature"].toDouble(1);
    options.top_k = json["top_k"].toInt(0);
    options.top_p = json["top_p"].toDouble(1);
    options.min_p = json["min_p"].toDouble(0);
    options.typical_p = json["typical_p"].toDouble(1);
    options.repetition_penalty = json["repetition_penalty"].toDouble(1);
    options.presence_penalty = json["presence_penalty"].toDouble(0);
    options.frequency_penalty = json["frequency_penalty"].toDouble(0);
    options.penalty_window = json["penalty_window"].toInt(64);
    return options;
}

QByteArray text_of(const QJsonValue& value) {
    return QJsonDocument(value.toObject()).toJson(QJsonDocument::Compact);
}

// log of 0.5, 0.25, 0.15, 0.1: their sums are easy to see.
Floats four() {
    return {std::log(0.15f), std::log(0.5f), std::log(0.1f), std::log(0.25f)};
}

}  // namespace

class TestSampler : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void greedy_takes_the_first_of_the_largest() {
        QCOMPARE(kept(plain(0), {1, 3, 3, 2}), Ids{1});
        QCOMPARE(*Sampler(plain(0), 4).sample(Floats{1, 3, 3, 2}, {}), 1);
    }
    void greedy_heeds_penalties() {
        SamplingOptions options = plain(0);
        options.presence_penalty = 2;
        QCOMPARE(kept(options, {1, 3, 2}, {1}), Ids{2});
    }

    void filters_by_hand_data() {
        QTest::addColumn<QString>("filter");
        QTest::addColumn<double>("value");
        QTest::addColumn<Ids>("expected");
        QTest::newRow("none") << "top_p" << 1.0 << Ids{1, 3, 0, 2};
        QTest::newRow("top-k 2") << "top_k" << 2.0 << Ids{1, 3};
        QTest::newRow("top-k beyond all") << "top_k" << 9.0 << Ids{1, 3, 0, 2};
        QTest::newRow("top-p reached by the first") << "top_p" << 0.49 << Ids{1};
        QTest::newRow("top-p takes the one that crosses") << "top_p" << 0.6 << Ids{1, 3};
        QTest::newRow("top-p 0.85") << "top_p" << 0.85 << Ids{1, 3, 0};
        QTest::newRow("top-p 0 keeps one") << "top_p" << 0.0 << Ids{1};
        QTest::newRow("min-p 0.4 of 0.5") << "min_p" << 0.4 << Ids{1, 3};
        QTest::newRow("min-p 0.25 of 0.5") << "min_p" << 0.25 << Ids{1, 3, 0};
        QTest::newRow("min-p 1 keeps the best") << "min_p" << 1.0 << Ids{1};
        // Entropy 1.21: surprises 0.69, 1.39, 1.90, 2.30 lie 0.51, 0.18, 0.69, 1.10 from it.
        QTest::newRow("typical 0.2") << "typical_p" << 0.2 << Ids{3};
        QTest::newRow("typical 0.7") << "typical_p" << 0.7 << Ids{1, 3};
        QTest::newRow("typical 0.8") << "typical_p" << 0.8 << Ids{1, 3, 0};
    }
    void filters_by_hand() {
        QFETCH(QString, filter);
        QFETCH(double, value);
        QFETCH(Ids, expected);
        QCOMPARE(kept(options_of({{filter, value}}), four()), expected);
    }
    void ties_keep_the_lower_id() {
        SamplingOptions options = plain();
        options.top_k = 2;
        QCOMPARE(kept(options, {1, 1, 1, 1}), (Ids{0, 1}));
        options = plain();
        options.top_p = 0.5;
        QCOMPARE(kept(options, {1, 1, 1, 1}), (Ids{0, 1}));
    }
    void penalties_look_at_the_window() {
        SamplingOptions options = plain(0);
        options.presence_penalty = 5;
        options.penalty_window = 2;
        QCOMPARE(kept(options, {3, 2, 1}, {0, 1, 2}), Ids{0});
        options.penalty_window = 0;
        QCOMPARE(kept(options, {3, 2, 1}, {0, 0, 1}), Ids{2});
    }
    void history_may_hold_unknown_ids() {
        SamplingOptions options = plain(0);
        options.frequency_penalty = 1;
        QCOMPARE(kept(options, {3, 2}, {-1, 99, 1 << 30}), Ids{0});
    }

    void equals_transformers() {
        QFile file("golden/sampler/warpers.json");
        QVERIFY(file.open(QIODevice::ReadOnly));
        const QJsonArray rows = QJsonDocument::fromJson(file.readAll()).array();
        QVERIFY(rows.size() > 140);
        for (const QJsonValue& row : rows) {
            Floats logits;
            for (const QJsonValue& logit : row["logits"].toArray())
                logits.push_back(float(logit.toDouble()));
            Ids history;
            for (const QJsonValue& id : row["history"].toArray()) history.push_back(id.toInt());
            Sampler sampler(options_of(row["options"].toObject()), int32_t(logits.size()));
            const auto actual = sampler.distribution(logits, history);
            const QJsonArray expected = row["kept"].toArray();
            QVERIFY(actual);
            const QByteArray what = text_of(row["options"]);
            QVERIFY2(qsizetype(actual->size()) == expected.size(), what);
            for (size_t i = 0; i < actual->size(); ++i) {
                const QJsonValue token = expected[qsizetype(i)];
                QVERIFY2((*actual)[i].id == token[0].toInt(), what);
                QVERIFY2(std::abs((*actual)[i].logprob - token[1].toDouble()) < 1e-9, what);
            }
        }
    }

    // 100,000 draws: each count within 5 standard deviations, chi-squared within what one in 10^6
    // of fair samplers would exceed (3 degrees of freedom).
    void draws_by_probability() {
        const std::vector<double> p{0.15, 0.5, 0.1, 0.25};
        const int n = 100000;
        SamplingOptions options = plain();
        options.seed = 42;
        Sampler sampler(options, 4);
        std::vector<int> counts(4);
        for (int i = 0; i < n; ++i) ++counts[size_t(*sampler.sample(four(), {}))];
        double chi_squared = 0;
        for (size_t id = 0; id < p.size(); ++id) {
            const double expected = p[id] * n;
            const double off = counts[id] - expected;
            QVERIFY(std::abs(off) < 5 * std::sqrt(expected * (1 - p[id])));
            chi_squared += off * off / expected;
        }
        QVERIFY(chi_squared < 30.7);
        QVERIFY(chi_squared > 0);
    }
    // The sequence itself is the contract: the same on any machine (and what a few lines of Python
    // with the same generator draw).
    void draws_are_fixed_by_the_seed() {
        SamplingOptions options = plain(0.9);
        options.top_p = 0.95;
        options.seed = 7;
        Floats logits;
        for (int i = 0; i < 1000; ++i) logits.push_back(float((i * 7919) % 1009) / 128.0f);
        Sampler first(options, 1000), second(options, 1000);
        Ids drawn;
        for (int i = 0; i < 8; ++i) {
            drawn.push_back(*first.sample(logits, {}));
            QCOMPARE(*second.sample(logits, {}), drawn.back());
        }
        QCOMPARE(drawn, (Ids{185, 521, 74, 271, 284, 508, 561, 607}));
        options.seed = 8;
        Sampler third(options, 1000);
        Ids others;
        for (int i = 0; i < 8; ++i) others.push_back(*third.sample(logits, {}));
        QVERIFY(others != drawn);
    }

    void never_picks_nonsense_data() {
        QTest::addColumn<Floats>("logits");
        QTest::addColumn<Ids>("expected");
        QTest::newRow("NaN") << Floats{no_number, 1, no_number, 0} << Ids{1, 3};
        QTest::newRow("NaN first and last") << Floats{no_number, 1, no_number} << Ids{1};
        QTest::newRow("-inf") << Floats{-inf, 1, -inf, 0} << Ids{1, 3};
        QTest::newRow("+inf takes all") << Floats{9, inf, 3, inf} << Ids{1, 3};
        QTest::newRow("+inf beside NaN") << Floats{no_number, inf, -inf} << Ids{1};
        QTest::newRow("huge") << Floats{-3e38f, 3e38f} << Ids{1, 0};
        QTest::newRow("all NaN: an error") << Floats{no_number, no_number} << Ids{-1};
        QTest::newRow("all -inf: an error") << Floats{-inf, -inf} << Ids{-1};
        QTest::newRow("no logits: an error") << Floats{} << Ids{-1};
    }
    void never_picks_nonsense() {
        QFETCH(Floats, logits);
        QFETCH(Ids, expected);
        QCOMPARE(kept(plain(), logits), expected);
        if (expected.front() >= 0) QCOMPARE(kept(plain(0), logits), Ids{expected.front()});
        SamplingOptions all = options_of({{"temperature", 0.7},
                                          {"top_k", 3},
                                          {"top_p", 0.9},
                                          {"min_p", 0.01},
                                          {"typical_p", 0.9},
                                          {"repetition_penalty", 1.3}});
        Sampler sampler(all, int32_t(logits.size()));
        for (int i = 0; i < 50; ++i) {
            const auto id = sampler.sample(logits, Ids{0, 1});
            QCOMPARE(id.has_value(), expected.front() >= 0);
            if (id) QVERIFY(std::find(expected.begin(), expected.end(), *id) != expected.end());
        }
    }

    void options_are_checked_data() {
        QTest::addColumn<QString>("option");
        QTest::addColumn<double>("value");
        const std::vector<std::pair<const char*, std::vector<double>>> bad = {
            {"temperature", {-0.1, 1e-9, 1e9, no_number}},
            {"top_k", {-1}},
            {"top_p", {-0.1, 1.01, no_number}},
            {"min_p", {-0.1, 1.5}},
            {"typical_p", {-1, 2}},
            {"repetition_penalty", {0, -1, inf}},
            {"presence_penalty", {no_number, -inf}},
            {"frequency_penalty", {inf}},
            {"penalty_window", {-2}},
        };
        for (const auto& [option, values] : bad)
            for (const double value : values)
                QTest::addRow("%s %g", option, value) << QString(option) << value;
    }
    void options_are_checked() {
        QFETCH(QString, option);
        QFETCH(double, value);
        SamplingOptions options = plain();
        const std::map<QString, double*> fields = {
            {"temperature", &options.temperature},
            {"top_p", &options.top_p},
            {"min_p", &options.min_p},
            {"typical_p", &options.typical_p},
            {"repetition_penalty", &options.repetition_penalty},
            {"presence_penalty", &options.presence_penalty},
            {"frequency_penalty", &options.frequency_penalty},
        };
        QVERIFY(lockstep::check(options));
        if (fields.contains(option)) *fields.at(option) = value;
        if (option == "top_k") options.top_k = int(value);
        if (option == "penalty_window") options.penalty_window = int(value);
        const auto status = lockstep::check(options);
        QVERIFY(!status);
        QVERIFY(status.error().message.starts_with(option.toStdString()));
    }

    void logprobs_are_a_log_softmax() {
        const auto best = lockstep::top_logprobs(four(), 3);
        QCOMPARE(best.size(), 3u);
        QCOMPARE(best[0].id, 1);
        QCOMPARE(best[1].id, 3);
        QCOMPARE(best[2].id, 0);
        QVERIFY(std::abs(best[0].logprob - std::log(0.5)) < 1e-6);
        QVERIFY(std::abs(best[2].logprob - std::log(0.15)) < 1e-6);
        QCOMPARE(lockstep::top_logprobs(Floats{2, 2, no_number}, 9).size(), 2u);
        QCOMPARE(lockstep::top_logprobs(Floats{2, 2}, 1)[0].id, 0);
    }
    void exp_is_within_two_last_places() {
        double worst = 0;
        for (double x = 0; x > -700; x -= 0.00731) {
            const double expected = std::exp(x);
            const double ulp = std::nextafter(expected, 2.0) - expected;
            worst = std::max(worst, std::abs(lockstep::portable_exp(x) - expected) / ulp);
        }
        QVERIFY2(worst <= 2, qPrintable(QString::number(worst)));
        QCOMPARE(lockstep::portable_exp(0), 1.0);
        QCOMPARE(lockstep::portable_exp(-1e9), 0.0);
        QCOMPARE(lockstep::portable_exp(-double(inf)), 0.0);
    }
    void exp_has_the_same_bits_in_vectors() {
        std::vector<double> all{0, -double(inf), double(no_number), -1e9, -700, -699.9, -1e-300};
        for (double x = -1e-9; x > -710; x = x * 1.003 - 1e-7) all.push_back(x);
        std::vector<double> powers = all;
        lockstep::portable_exp(std::span(powers));
        for (size_t i = 0; i < all.size(); ++i) {
            QCOMPARE(std::bit_cast<uint64_t>(powers[i]),
                     std::bit_cast<uint64_t>(lockstep::portable_exp(all[i])));
        }
    }
};

QTEST_APPLESS_MAIN(TestSampler)
#include "tst_sampler.moc"
