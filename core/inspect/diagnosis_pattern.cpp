// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/diagnosis_pattern.h"

#include <algorithm>
#include <cmath>

#include "core/inspect/diagnosis_hypothesis.h"

namespace lockstep {
namespace {

// An element is wrong where its error is this many times an honest one; a row, head or column where
// the RMS of its errors is.
constexpr double wrong_element = 6, wrong_line = 2.5;

// Errors in units of noise, [rows, columns]; 100 where only one of the two is finite.
std::vector<double> errors_of(const DiagnosisCase& given, const TapValues& tap) {
    std::vector<double> errors(tap.truth.size());
    for (size_t i = 0; i < errors.size(); ++i) {
        const double size = std::max(
            std::hypot(static_cast<double>(tap.noise[i]), given.rounding() * tap.truth[i]), 1e-30);
        const double off = static_cast<double>(tap.candidate[i]) - tap.truth[i];
        errors[i] = std::isfinite(off) ? std::clamp(off / size, -100.0, 100.0) : 100;
    }
    return errors;
}

class Lines {
  public:
    explicit Lines(int64_t count)
        : squares_(static_cast<size_t>(count)), counts_(squares_), largest_(squares_) {}
    void add(int64_t line, double error) {
        const auto at = static_cast<size_t>(line);
        squares_[at] += error * error;
        counts_[at] += 1;
        largest_[at] = std::max(largest_[at], std::abs(error));
    }
    std::vector<bool> wrong() const {
        std::vector<bool> marks(squares_.size());
        for (size_t i = 0; i < marks.size(); ++i)
            marks[i] =
                largest_[i] > wrong_element || squares_[i] > wrong_line * wrong_line * counts_[i];
        return marks;
    }

  private:
    std::vector<double> squares_, counts_, largest_;
};

std::string sign_of(const TapValues& tap, const std::vector<double>& errors) {
    int64_t larger = 0, smaller = 0, up = 0, down = 0;
    for (size_t i = 0; i < errors.size(); ++i) {
        if (std::abs(errors[i]) < wrong_element || !std::isfinite(tap.candidate[i])) continue;
        ++(errors[i] > 0 ? up : down);
        ++(std::abs(tap.candidate[i]) > std::abs(tap.truth[i]) ? larger : smaller);
    }
    const auto mostly = [](int64_t one, int64_t other) {
        return one + other >= 8 && one > 19 * other;
    };
    if (mostly(up, down)) return "always greater";
    if (mostly(down, up)) return "always less";
    if (mostly(larger, smaller)) return "always larger in size";
    if (mostly(smaller, larger)) return "always smaller in size";
    return "mixed";
}

std::string values_of(const DiagnosisCase& given, const TapValues& tap,
                      const std::vector<double>& errors) {
    int64_t wrong = 0, zero = 0, nan = 0, non_finite = 0, same = 0;
    float first = 0;
    for (size_t i = 0; i < errors.size(); ++i) {
        if (std::abs(errors[i]) < wrong_element) continue;
        const float value = tap.candidate[i];
        if (wrong++ == 0) first = value;
        zero += value == 0;
        nan += std::isnan(value);
        non_finite += !std::isfinite(value);
        same += value == first;
    }
    if (wrong == 0) return "";
    if (nan == wrong && given.can_run()) return "not written, or NaN";
    if (non_finite == wrong) return "not finite";
    if (zero == wrong) return "zero";
    if (wrong > 1 && same == wrong) return "constant";
    return non_finite > 0 ? "some not finite" : "";
}

// The first tap that has anything wrong, else the first.
const TapValues& described_tap(const DiagnosisCase& given) {
    const TapValues* const diverged = given.tap(given.step_case().where.tensor);
    return diverged ? *diverged : given.taps()[0];
}

double plain_scale(const TapValues& tap) {
    double along = 0, squares = 0;
    for (size_t i = 0; i < tap.truth.size(); ++i) {
        if (!std::isfinite(tap.candidate[i]) || !std::isfinite(tap.truth[i])) continue;
        along += static_cast<double>(tap.candidate[i]) * tap.truth[i];
        squares += static_cast<double>(tap.truth[i]) * tap.truth[i];
    }
    return squares > 0 ? along / squares : 1;
}

std::string ordinal(size_t n) {
    const size_t last = n % 10;
    const bool teen = n % 100 / 10 == 1;
    const char* const ending = teen        ? "th"
                               : last == 1 ? "st"
                               : last == 2 ? "nd"
                               : last == 3 ? "rd"
                                           : "th";
    return std::to_string(n) + ending;
}

// The period of indices that are all of one residue, 0 where there is none.
size_t period_of(const std::vector<size_t>& at, size_t count) {
    if (at.size() < 3) return 0;
    const size_t period = at[1] - at[0];
    if (period < 2 || at[0] >= period || at.back() + period < count) return 0;
    for (size_t i = 1; i < at.size(); ++i) {
        if (at[i] - at[i - 1] != period) return 0;
    }
    return period;
}

}  // namespace

std::string describe_marks(const std::vector<bool>& marks) {
    std::vector<size_t> at;
    for (size_t i = 0; i < marks.size(); ++i) {
        if (marks[i]) at.push_back(i);
    }
    const size_t count = marks.size(), wrong = at.size();
    if (wrong == 0) return "none";
    if (wrong == count) return "all";
    if (wrong == 1) return std::to_string(at[0]);
    if (at.back() - at[0] + 1 == wrong) {
        if (at[0] == 0) return "first " + std::to_string(wrong);
        if (at.back() + 1 == count) return "last " + std::to_string(wrong);
        return std::to_string(at[0]) + " to " + std::to_string(at.back());
    }
    if (const size_t period = period_of(at, count))
        return "every " + ordinal(period) + " from " + std::to_string(at[0]);
    // An error that is everywhere is small somewhere by chance.
    if (count >= 16 && wrong * 10 >= count * 9) return "all";
    if (wrong > 6) return std::to_string(wrong) + " of " + std::to_string(count);
    std::string text;
    for (const size_t i : at) text += (text.empty() ? "" : ", ") + std::to_string(i);
    return text;
}

ErrorPattern describe_error(const DiagnosisCase& given, const Replay& replay) {
    const TapValues& tap = described_tap(given);
    const std::vector<double> errors = errors_of(given, tap);
    Lines rows(given.rows()), heads(tap.heads), columns(tap.columns());
    for (int64_t row = 0; row < given.rows(); ++row) {
        for (int64_t c = 0; c < tap.columns(); ++c) {
            const double error = errors[static_cast<size_t>(row * tap.columns() + c)];
            rows.add(row, error);
            heads.add(c / tap.width, error);
            columns.add(c, error);
        }
    }
    ErrorPattern pattern;
    pattern.tensor = tap.name;
    pattern.rows = describe_marks(rows.wrong());
    pattern.heads = tap.heads > 1 ? describe_marks(heads.wrong()) : "";
    pattern.columns = describe_marks(columns.wrong());
    pattern.sign = sign_of(tap, errors);
    pattern.values = values_of(given, tap, errors);
    if (replay.stale) pattern.values = "of an earlier call";
    if (replay.unstable > 0) pattern.values = "other at each run";
    pattern.scale_factor = plain_scale(tap);
    return pattern;
}

}  // namespace lockstep
