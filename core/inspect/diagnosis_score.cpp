// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/diagnosis_score.h"

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

// As in verdict.h: an RMS over the floor's by this much is no chance, and the scatter of an RMS
// over n elements.
double rms_limit(double count) {
    return 1.5 * std::exp(3 / std::sqrt(count));
}
// Few elements say little; the largest is judged with all others.
constexpr double few = 16;
// A reproduction that leaves next to nothing of the error may be worse than the floor: the fault
// may add roundings of its own.
constexpr double small_rest = 0.005, small_rest_misfit = 2.5;
constexpr double tiny_rest = 1e-4, tiny_rest_misfit = 8;
// The candidate is at a hypothesis, and neither between it and truth nor beyond it.
constexpr double at_least = 0.85, at_most = 1.15;
// In units of noise: below it two outputs can't be told apart.
constexpr double visible = 6;

struct Sums {
    double count = 0, squares = 0;
    void add(double z) {
        count += 1;
        squares += z * z;
    }
    double misfit() const {
        if (count < few) return 0;
        return std::sqrt(squares / count) / rms_limit(count);
    }
};

const std::vector<double> nothing;

// A prediction of one tap.
struct Foretold {
    const std::vector<double>& values;
    const std::vector<double>& noise;
    bool flips = false;

    static Foretold of(const Prediction& prediction, size_t tap) {
        return {tap < prediction.taps.size() ? prediction.taps[tap] : nothing,
                tap < prediction.noise.size() ? prediction.noise[tap] : nothing, prediction.flips};
    }
};
// Of the elements of a tap so many may be rounded to the other side, by so much of their magnitude.
constexpr double flip = 5;  // times the noise
constexpr double most_flips = 0.05, largest_flip = 0x1p-5;

// Expected size of an honest error of an element of a hypothesis: noise grows with the outputs.
class Expected {
  public:
    Expected(const DiagnosisCase& given, const TapValues& tap, const Part& part,
             const Foretold& foretold)
        : given_(given), tap_(tap), part_(part), values_(foretold.values), noise_(foretold.noise) {}

    // Moves on to a row's piece of columns [first, last) of the part.
    void begin(int64_t row_index, int64_t first, int64_t last) {
        growth_ = 1;
        magnitude_ = 0;
        if (values_.empty()) return;
        double truth = 0, own = 0;
        const int64_t row = part_.rows[static_cast<size_t>(row_index)];
        const int64_t width = part_.width(tap_);
        for (int64_t c = first; c < last; ++c) {
            const double t = tap_.truth[at(row, c)];
            const double h = values_[static_cast<size_t>(row_index * width + c)];
            if (!std::isfinite(t) || !std::isfinite(h)) continue;
            truth += t * t;
            own += h * h;
        }
        if (truth > 0 && own > truth) growth_ = std::sqrt(own / truth);
        magnitude_ = std::sqrt(own / static_cast<double>(last - first));
    }
    double magnitude() const { return magnitude_; }
    size_t at(int64_t row, int64_t c) const {
        return static_cast<size_t>(row * tap_.columns() + part_.column(c));
    }
    // own: the element's place in the prediction.
    double operator()(size_t index, size_t own, double value) const {
        const double added = noise_.empty() ? 0 : noise_[own];
        return std::max(std::hypot(growth_ * tap_.noise[index], given_.rounding() * value, added),
                        1e-30);
    }
    double at_truth(size_t index) const {
        return std::max<double>(
            std::hypot(growth_ * tap_.noise[index], given_.rounding() * tap_.truth[index]), 1e-30);
    }

  private:
    const DiagnosisCase& given_;
    const TapValues& tap_;
    const Part& part_;
    const std::vector<double>&values_, &noise_;
    double growth_ = 1, magnitude_ = 0;
};

// An element that is not finite counts as an error of so many times the noise.
constexpr double non_finite_error = 100;

void add_non_finite(double candidate, double own, bool can_run, TapScore& result) {
    constexpr double energy = non_finite_error * non_finite_error;
    const bool wrong = !std::isfinite(candidate), foretold = !std::isfinite(own);
    // What was captured elsewhere holds whatever it held where nothing was written.
    const bool unknown = std::isnan(own) && !can_run;
    result.error += wrong ? energy : 0;
    result.effect += foretold ? energy : 0;
    result.along += wrong && foretold ? energy : 0;
    if (wrong == foretold || unknown) return;
    result.residual += energy;
    ++result.unexplained_non_finite;
}

TapScore score_tap(const DiagnosisCase& given, const Part& part, const TapValues& tap,
                   const Foretold& foretold) {
    const std::vector<double>& values = foretold.values;
    TapScore result;
    Expected expected(given, tap, part, foretold);
    const int64_t width = part.width(tap), tile = tap.tile();
    const auto rows = static_cast<int64_t>(part.rows.size());
    Sums whole;
    std::vector<Sums> by_row(static_cast<size_t>(rows));
    std::vector<Sums> by_tile(static_cast<size_t>((width + tile - 1) / tile));
    double largest = 0, flipped = 0;
    for (int64_t r = 0; r < rows; ++r) {
        for (int64_t first = 0; first < width; first += tile) {
            const int64_t last = std::min(first + tile, width);
            expected.begin(r, first, last);
            for (int64_t c = first; c < last; ++c) {
                const size_t i = expected.at(part.rows[static_cast<size_t>(r)], c);
                const double candidate = tap.candidate[i];
                const double truth = tap.truth[i];
                const auto at = static_cast<size_t>(r * width + c);
                const double own = values.empty() ? truth : values[at];
                if (!std::isfinite(truth)) continue;
                if (!std::isfinite(candidate) || !std::isfinite(own)) {
                    add_non_finite(candidate, own, given.can_run(), result);
                    continue;
                }
                const double z = (candidate - own) / expected(i, at, own);
                const double at_truth = expected.at_truth(i);
                const double error = (candidate - truth) / at_truth;
                const double effect = (own - truth) / at_truth;
                if (foretold.flips && std::abs(z) > flip &&
                    std::abs(candidate - own) <= largest_flip * expected.magnitude()) {
                    flipped += 1;
                    continue;
                }
                result.error += error * error;
                result.effect += effect * effect;
                result.along += error * effect;
                result.residual += (error - effect) * (error - effect);
                const double honest = (static_cast<double>(tap.reference[i]) - truth) / at_truth;
                result.noise += std::isfinite(honest) ? honest * honest : 0;
                largest = std::max(largest, std::abs(z));
                whole.add(z);
                by_row[static_cast<size_t>(r)].add(z);
                by_tile[static_cast<size_t>(first / tile)].add(z);
            }
        }
    }
    const double max_limit = std::max(6.0, 2 * tap.largest_reference_z);
    result.misfit = std::max(whole.misfit(), largest / max_limit);
    for (const Sums& row : by_row) result.misfit = std::max(result.misfit, row.misfit());
    for (const Sums& column : by_tile) result.misfit = std::max(result.misfit, column.misfit());
    if (result.unexplained_non_finite > 0 || flipped > most_flips * (whole.count + flipped))
        result.misfit = HUGE_VAL;
    return result;
}

bool reproduced(double misfit, double error, double residual) {
    if (misfit <= 1) return true;
    return (misfit <= small_rest_misfit && residual <= small_rest * error) ||
           (misfit <= tiny_rest_misfit && residual <= tiny_rest * error);
}

bool on_the_line(double along, double effect) {
    if (effect < visible * visible) return false;
    return along >= at_least * effect && along <= at_most * effect;
}

template <class Value>
double sum_over(const std::vector<TapScore>& taps, const Value& value) {
    double sum = 0;
    for (const TapScore& tap : taps) sum += value(tap);
    return sum;
}

}  // namespace

double Score::explained() const {
    const double error = sum_over(taps, [](const TapScore& tap) { return tap.error; });
    const double rest = sum_over(taps, [](const TapScore& tap) { return tap.residual; });
    return error > 0 ? std::max(0.0, 1 - rest / error) : 0;
}

double Score::explained_beyond_noise() const {
    const double error = sum_over(taps, [](const TapScore& tap) { return tap.error; });
    const double rest =
        sum_over(taps, [](const TapScore& tap) { return std::max(0.0, tap.residual - tap.noise); });
    return error > 0 ? std::max(0.0, 1 - rest / error) : 0;
}

double Score::projection() const {
    const double effect = sum_over(taps, [](const TapScore& tap) { return tap.effect; });
    const double along = sum_over(taps, [](const TapScore& tap) { return tap.along; });
    return effect > 0 ? along / effect : 0;
}

double Score::effect() const {
    return std::sqrt(sum_over(taps, [](const TapScore& tap) { return tap.effect; }));
}

double Score::residual() const {
    return std::sqrt(sum_over(taps, [](const TapScore& tap) { return tap.residual; }));
}

double Score::misfit() const {
    double worst = 0;
    for (const TapScore& tap : taps) worst = std::max(worst, tap.misfit);
    return worst;
}

bool Score::tap_fits(size_t index) const {
    const TapScore& tap = taps[index];
    return reproduced(tap.misfit, tap.error, tap.residual);
}

bool Score::fits() const {
    for (size_t tap = 0; tap < taps.size(); ++tap) {
        if (!tap_fits(tap)) return false;
    }
    const double effect = sum_over(taps, [](const TapScore& tap) { return tap.effect; });
    const double along = sum_over(taps, [](const TapScore& tap) { return tap.along; });
    return on_the_line(along, effect);
}

Score score(const DiagnosisCase& given, const Part& part, const Prediction& prediction) {
    Score result;
    for (size_t tap = 0; tap < given.taps().size(); ++tap)
        result.taps.push_back(
            score_tap(given, part, given.taps()[tap], Foretold::of(prediction, tap)));
    return result;
}

Score score_of_truth(const DiagnosisCase& given, const Part& part) {
    return score(given, part, Prediction());
}

bool separates(const DiagnosisCase& given, const Part& part, const Prediction& nearer,
               const Prediction& other) {
    double apart = 0, along = 0;
    for (size_t t = 0; t < given.taps().size(); ++t) {
        const TapValues& tap = given.taps()[t];
        const int64_t width = part.width(tap);
        const Foretold near = Foretold::of(nearer, t);
        const auto& first = near.values;
        const auto& second = Foretold::of(other, t).values;
        if (first.empty() && second.empty()) continue;
        for (size_t r = 0; r < part.rows.size(); ++r) {
            for (int64_t c = 0; c < width; ++c) {
                const auto i = static_cast<size_t>(part.rows[r] * tap.columns() + part.column(c));
                const size_t own = r * static_cast<size_t>(width) + static_cast<size_t>(c);
                const double truth = tap.truth[i];
                const double a = first.empty() ? truth : first[own];
                const double b = second.empty() ? truth : second[own];
                if (std::isfinite(a) != std::isfinite(b)) return true;
                const double candidate = tap.candidate[i];
                if (!std::isfinite(a) || !std::isfinite(candidate)) continue;
                const double added = near.noise.empty() ? 0 : near.noise[own];
                const double size = std::max(
                    std::hypot(static_cast<double>(tap.noise[i]), given.rounding() * a, added),
                    1e-30);
                apart += (b - a) * (b - a) / (size * size);
                along += (candidate - a) * (b - a) / (size * size);
            }
        }
    }
    return apart >= visible * visible && along <= 0.3 * apart;
}

}  // namespace lockstep
