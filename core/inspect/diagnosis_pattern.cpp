// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/diagnosis_pattern.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/inspect/diagnosis_hypothesis.h"

namespace lockstep {
namespace {

// A row, head or column is wrong where the RMS of its errors is this many times an honest one.
constexpr double wrong_line = 2.5;

// An element is wrong where its error is.
double wrong_element(const TapValues& tap) {
    return std::max(6.0, 2 * tap.largest_reference_z);
}

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
    Lines(int64_t count, double wrong_element)
        : wrong_element_(wrong_element),
          squares_(static_cast<size_t>(count)),
          counts_(squares_),
          largest_(squares_) {}
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
                largest_[i] > wrong_element_ || squares_[i] > wrong_line * wrong_line * counts_[i];
        return marks;
    }

  private:
    double wrong_element_;
    std::vector<double> squares_, counts_, largest_;
};

std::string sign_of(const TapValues& tap, const std::vector<double>& errors) {
    int64_t larger = 0, smaller = 0, up = 0, down = 0;
    for (size_t i = 0; i < errors.size(); ++i) {
        if (std::abs(errors[i]) < wrong_element(tap) || !std::isfinite(tap.candidate[i])) continue;
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
        if (std::abs(errors[i]) < wrong_element(tap)) continue;
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

struct Period {
    size_t length = 0, first = 0;  // length 0: there is none
};
// Indices that are all of one residue, from one end of `count` to the other; a few of them may be
// missing, as an error is small somewhere by chance.
Period period_of(const std::vector<size_t>& at, size_t count) {
    if (at.size() < 3) return {};
    size_t length = 0;
    for (const size_t i : at) length = std::gcd(length, i - at[0]);
    if (length < 2) return {};
    const size_t first = at[0] % length;
    const size_t members = (count - first - 1) / length + 1;
    if (at.size() * 5 < members * 4) return {};
    return {length, first};
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
    if (const Period period = period_of(at, count); period.length > 0)
        return "every " + ordinal(period.length) + " from " + std::to_string(period.first);
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
    const double limit = wrong_element(tap);
    Lines rows(given.rows(), limit), heads(tap.heads, limit), columns(tap.columns(), limit);
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
