// SPDX-License-Identifier: GPL-3.0-or-later
// The rule that says "diverged" is itself held to it: honest noise passes whatever its shape, a
// planted fault does not, however small the part that it sits in.
#include <QTest>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "core/inspect/verdict.h"
#include "kernels/cpu/rounding.h"

using namespace lockstep;

namespace {

struct Shape {
    int64_t rows = 1, heads = 1, head_columns = 1;
    int64_t columns() const { return heads * head_columns; }
    int64_t count() const { return rows * columns(); }
};

Tensor view(std::vector<float>& values, const Shape& shape) {
    if (shape.heads > 1)
        return {values.data(), DType::f32, {shape.rows, shape.heads, shape.head_columns}};
    return {values.data(), DType::f32, {shape.rows, shape.columns()}};
}

// A truth, and two honest computations of it in `dtype`.
struct Trial {
    Shape shape;
    DType dtype = DType::bf16;
    std::vector<float> truth, reference, candidate;

    Verdict verdict() {
        return judge(view(candidate, shape), view(reference, shape), view(truth, shape), dtype);
    }
};

enum class Noise {
    independent,
    by_row,
    heavy_tailed,
    outlier_columns,
    outlier_errors,
    one_rounding,
    rows_apart
};

// by_row: all of a row is scaled by up to two roundings, as a large channel's do.
// heavy_tailed: values are products, and their errors, too, as SiLU(gate) * up.
// outlier_columns: one channel is far larger, and as exact as its own rounding.
// outlier_errors: one channel is far larger, and has nearly all of the error, a few roundings.
Trial honest_trial(const Shape& shape, DType dtype, Noise noise, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> rounding(-0.75, 0.75);
    const double unit = dtype == DType::bf16 ? 0x1p-8 : 0x1p-11;
    const auto outlier = static_cast<int64_t>(random() % static_cast<uint64_t>(shape.columns()));
    Trial trial{shape, dtype, {}, {}, {}};
    for (int64_t row = 0; row < shape.rows; ++row) {
        const double row_scale = noise == Noise::rows_apart ? std::pow(2.0, normal(random)) : 1;
        const double of_reference = rounding(random) + rounding(random);
        const double of_candidate = rounding(random) + rounding(random);
        for (int64_t c = 0; c < shape.columns(); ++c) {
            double scale = row_scale;
            if (noise == Noise::heavy_tailed) scale *= normal(random);
            const bool outlying = noise == Noise::outlier_columns || noise == Noise::outlier_errors;
            const double channel = outlying && c == outlier ? 50 : 1;
            const double truth = scale * channel * normal(random);
            const auto computed = [&](double of_row) {
                double error = unit * scale * normal(random);
                if (noise == Noise::one_rounding) error = 0;
                if (noise == Noise::outlier_errors && c == outlier)
                    error = unit * truth * (2 + of_row / 3);
                if (noise == Noise::by_row) error = unit * of_row * truth;
                return rounded(static_cast<float>(truth + error), dtype);
            };
            trial.truth.push_back(static_cast<float>(truth));
            trial.reference.push_back(computed(of_reference));
            trial.candidate.push_back(computed(of_candidate));
        }
    }
    return trial;
}

const std::vector<std::pair<const char*, Noise>> noises{
    {"independent", Noise::independent},       {"by row", Noise::by_row},
    {"heavy tailed", Noise::heavy_tailed},     {"outlier columns", Noise::outlier_columns},
    {"outlier errors", Noise::outlier_errors}, {"one rounding", Noise::one_rounding},
    {"rows far apart", Noise::rows_apart}};

const std::vector<std::pair<const char*, Shape>> shapes{
    {"1x64", {1, 1, 64}},     {"1x576", {1, 1, 576}},     {"1x1000", {1, 1, 1000}},
    {"17x100", {17, 1, 100}}, {"1x2x64", {1, 2, 64}},     {"1x14x64", {1, 14, 64}},
    {"33x9x64", {33, 9, 64}}, {"300x1x24", {300, 1, 24}}, {"130x3x80", {130, 3, 80}}};

struct Plant {
    const char* name;
    const char* part;  // that the verdict may name; "" for any
    std::function<void(Trial&)> plant;
};

void each(Trial& trial, int64_t first_row, int64_t last_row, int64_t first_column,
          int64_t last_column, const std::function<float(float)>& change) {
    for (int64_t r = first_row; r < last_row; ++r) {
        for (int64_t c = first_column; c < last_column; ++c) {
            float& value = trial.candidate[static_cast<size_t>(r * trial.shape.columns() + c)];
            value = rounded(change(value), trial.dtype);
        }
    }
}

const std::vector<Plant> plants{
    {"scaled by 1.02", "",
     [](Trial& t) {
         each(t, 0, t.shape.rows, 0, t.shape.columns(), [](float v) { return v * 1.02f; });
     }},
    {"a tiny bias", "",
     [](Trial& t) {
         each(t, 0, t.shape.rows, 0, t.shape.columns(), [](float v) { return v + 0.02f; });
     }},
    {"one row zero", "",
     [](Trial& t) {
         each(t, t.shape.rows / 2, t.shape.rows / 2 + 1, 0, t.shape.columns(),
              [](float) { return 0.0f; });
     }},
    {"one row off by 2%", "",
     [](Trial& t) {
         each(t, t.shape.rows - 1, t.shape.rows, 0, t.shape.columns(),
              [](float v) { return v * 1.02f; });
     }},
    {"one column off by one half", "",
     [](Trial& t) {
         const int64_t c = t.shape.columns() / 3;
         each(t, 0, t.shape.rows, c, c + 1, [](float v) { return v + 0.5f; });
     }},
    {"one head off by 2%", "",
     [](Trial& t) {
         const int64_t head = t.shape.heads - 1, width = t.shape.head_columns;
         each(t, 0, t.shape.rows, head * width, (head + 1) * width,
              [](float v) { return v * 1.02f; });
     }},
    {"last columns off by 3%", "",
     [](Trial& t) {
         each(t, 0, t.shape.rows, t.shape.columns() - std::min<int64_t>(t.shape.columns(), 30),
              t.shape.columns(), [](float v) { return v * 1.03f; });
     }},
    {"one element wrong", "", [](Trial& t) { t.candidate[t.candidate.size() / 2] += 1.0f; }},
    {"one NaN", "", [](Trial& t) { t.candidate.back() = std::numeric_limits<float>::quiet_NaN(); }},
    {"one infinity", "",
     [](Trial& t) { t.candidate.front() = std::numeric_limits<float>::infinity(); }},
    {"rows swapped", "",
     [](Trial& t) {
         if (t.shape.rows == 1) {
             std::reverse(t.candidate.begin(), t.candidate.end());
             return;
         }
         std::swap_ranges(t.candidate.begin(), t.candidate.begin() + t.shape.columns(),
                          t.candidate.begin() + t.shape.columns());
     }},
};

}  // namespace

class TestVerdict : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void honest_noise_passes_data() {
        QTest::addColumn<int>("shape");
        QTest::addColumn<int>("noise");
        for (size_t s = 0; s < shapes.size(); ++s) {
            for (size_t n = 0; n < noises.size(); ++n)
                QTest::addRow("%s %s", shapes[s].first, noises[n].first)
                    << static_cast<int>(s) << static_cast<int>(n);
        }
    }
    void honest_noise_passes() {
        QFETCH(int, shape);
        QFETCH(int, noise);
        const Shape& sizes = shapes[static_cast<size_t>(shape)].second;
        const auto trials =
            static_cast<uint64_t>(std::clamp<int64_t>(400'000 / sizes.count(), 20, 3000));
        for (uint64_t seed = 0; seed < trials; ++seed) {
            const DType dtype = seed % 2 ? DType::bf16 : DType::f16;
            Trial trial =
                honest_trial(sizes, dtype, noises[static_cast<size_t>(noise)].second, seed);
            const Verdict verdict = trial.verdict();
            QVERIFY2(!verdict.diverged,
                     qPrintable(QString("seed %1: %2: %3")
                                    .arg(seed)
                                    .arg(QString::fromStdString(verdict.part),
                                         QString::fromStdString(verdict.reason))));
        }
    }

    void a_planted_fault_is_caught_data() {
        QTest::addColumn<int>("shape");
        QTest::addColumn<int>("plant");
        for (size_t s = 0; s < shapes.size(); ++s) {
            for (size_t p = 0; p < plants.size(); ++p)
                QTest::addRow("%s %s", shapes[s].first, plants[p].name)
                    << static_cast<int>(s) << static_cast<int>(p);
        }
    }
    void a_planted_fault_is_caught() {
        QFETCH(int, shape);
        QFETCH(int, plant);
        const Shape& sizes = shapes[static_cast<size_t>(shape)].second;
        for (uint64_t seed = 0; seed < 20; ++seed) {
            Trial trial = honest_trial(sizes, DType::bf16, Noise::one_rounding, seed);
            plants[static_cast<size_t>(plant)].plant(trial);
            const Verdict verdict = trial.verdict();
            QVERIFY2(verdict.diverged, qPrintable(QString("seed %1").arg(seed)));
            QVERIFY(!verdict.part.empty() && !verdict.reason.empty());
        }
    }

    // Small against the whole, they are found in their part.
    void a_local_fault_is_found_in_its_part_data() {
        QTest::addColumn<QString>("part");
        QTest::newRow("row") << "row 7";
        QTest::newRow("head") << "head 2";
        QTest::newRow("tail") << "last columns";
    }
    void a_local_fault_is_found_in_its_part() {
        QFETCH(QString, part);
        const Shape shape{64, 9, 65};  // 585 columns: nine whole tiles and nine more
        Trial trial = honest_trial(shape, DType::bf16, Noise::one_rounding, 5);
        const auto shift = [](float v) { return v + 0.008f; };  // two roundings of 1
        if (part == "row 7") each(trial, 7, 8, 0, 585, [](float v) { return v * 1.012f; });
        if (part == "head 2") each(trial, 0, 64, 130, 195, shift);
        if (part == "last columns") each(trial, 0, 64, 576, 585, shift);
        const Verdict verdict = trial.verdict();
        QVERIFY(verdict.diverged);
        QCOMPARE(QString::fromStdString(verdict.part), part);
        QVERIFY(verdict.candidate.rms < 2 * verdict.reference.rms);  // averaged away in the whole
    }

    // Where the reference is exact, one rounding is still nobody's fault, but more is.
    void an_exact_reference_leaves_one_rounding() {
        Trial trial = honest_trial({4, 1, 128}, DType::bf16, Noise::one_rounding, 3);
        trial.reference = trial.truth;
        QVERIFY(!trial.verdict().diverged);
        each(trial, 0, 4, 0, 128, [](float v) { return v * 1.03f; });
        QVERIFY(trial.verdict().diverged);
    }

    void what_truth_has_is_no_fault() {
        const float infinity = std::numeric_limits<float>::infinity();
        const float nan = std::numeric_limits<float>::quiet_NaN();
        Trial trial = honest_trial({2, 1, 64}, DType::bf16, Noise::one_rounding, 4);
        trial.truth[3] = trial.candidate[3] = nan;
        trial.truth[9] = trial.candidate[9] = infinity;
        QVERIFY(!trial.verdict().diverged);
        trial.candidate[9] = -infinity;
        QVERIFY(trial.verdict().diverged);
        trial.candidate[9] = 1;
        QVERIFY(trial.verdict().diverged);
    }

    // A reference that overflowed excuses nothing.
    void a_broken_reference_does_not_hide_a_fault() {
        Trial trial = honest_trial({2, 1, 64}, DType::f16, Noise::one_rounding, 4);
        trial.reference[5] = std::numeric_limits<float>::infinity();
        trial.reference[6] = std::numeric_limits<float>::quiet_NaN();
        QVERIFY(!trial.verdict().diverged);
        trial.candidate[5] = 1000;
        QVERIFY(trial.verdict().diverged);
    }

    void shapes_that_differ_are_a_divergence() {
        std::vector<float> a(6, 1.0f);
        const Tensor two_by_three(a.data(), DType::f32, {2, 3});
        const Tensor three_by_two(a.data(), DType::f32, {3, 2});
        QVERIFY(judge(two_by_three, three_by_two, three_by_two, DType::f32).diverged);
        QVERIFY(judge(two_by_three, two_by_three, Tensor(), DType::f32).diverged);
        QVERIFY(compare_tensors(two_by_three, three_by_two).non_finite);
    }

    void figures_of_a_small_picture() {
        std::vector<float> expected{1, -2, 4, 0};
        std::vector<float> got{1, -2.5f, 4.001f, 0.25f};
        const ErrorFigures figures = compare_tensors(Tensor(got.data(), DType::f32, {2, 2}),
                                                     Tensor(expected.data(), DType::f32, {2, 2}));
        QCOMPARE(figures.max_abs, 0.5);
        QCOMPARE(figures.worst_index, 1);
        QCOMPARE(figures.max_rel, 0.25);
        QCOMPARE(figures.within_1e3, 0.5);  // 4.001 is within 1e-3 + 1e-3 * 4
        QVERIFY(std::abs(figures.rms - std::sqrt((0.25 + 1e-6 + 0.0625) / 4)) < 1e-6);
        QVERIFY(std::abs(figures.cosine -
                         (1 + 5 + 16.004) / std::sqrt((1 + 6.25 + 16.008001 + 0.0625) * 21)) <
                1e-6);
        QVERIFY(!figures.non_finite);
    }

    void ulps_are_those_of_the_dtype() {
        uint16_t expected = bf16_from_float(1.0f);
        uint16_t got = bf16_from_float(1.0f + 3 * 0x1p-7f);
        QCOMPARE(
            compare_tensors(Tensor(&got, DType::bf16, {1}), Tensor(&expected, DType::bf16, {1}))
                .max_ulp,
            3.0);
    }

    void strides_are_honoured() {
        std::vector<float> wide{1, 2, -9, 3, 4, -9};
        std::vector<float> dense{1, 2, 3, 4};
        Tensor strided(wide.data(), DType::f32, {2, 2});
        strided.stride = {3, 1};
        const ErrorFigures figures =
            compare_tensors(strided, Tensor(dense.data(), DType::f32, {2, 2}));
        QCOMPARE(figures.max_abs, 0.0);
    }
};

QTEST_APPLESS_MAIN(TestVerdict)
#include "tst_verdict.moc"
