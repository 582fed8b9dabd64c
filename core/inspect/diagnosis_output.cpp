// SPDX-License-Identifier: GPL-3.0-or-later
// Hypotheses about an output that was computed as it should be: pieces of it not written, or all of
// it multiplied.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "core/inspect/diagnosis_hypothesis.h"

namespace lockstep {
namespace {

// What stands in a candidate's skipped element: 0, or NaN, which nothing was written over.
bool left(float value) {
    return value == 0 || std::isnan(value);
}

// Columns at the end that are left in every row.
int64_t left_columns(const TapValues& tap, int64_t rows) {
    const int64_t columns = tap.columns();
    int64_t least = columns;
    for (int64_t row = 0; row < rows; ++row) {
        int64_t count = 0;
        while (count < columns &&
               left(tap.candidate[static_cast<size_t>((row + 1) * columns - 1 - count)]))
            ++count;
        least = std::min(least, count);
    }
    return least;
}

int64_t left_rows(const TapValues& tap, int64_t rows) {
    const int64_t columns = tap.columns();
    int64_t count = 0;
    while (count < rows && std::all_of(tap.candidate.end() - (count + 1) * columns,
                                       tap.candidate.end() - count * columns, left))
        ++count;
    return count;
}

struct Left {
    int64_t first_row = 0, first_column = 0;  // from there on
    double value = 0;
};

// The tap in a prediction, filled in where that has it as truth.
std::vector<double>& values_in(Prediction& prediction, const DiagnosisCase& given,
                               std::string_view name, const Part& part) {
    prediction.taps.resize(given.taps().size());
    std::vector<double>& values = prediction.taps[given.tap_index(name)];
    if (values.empty()) values = truth_of(*given.tap(name), part);
    return values;
}

Prediction with_left(Prediction made, const DiagnosisCase& given, std::string_view name,
                     const Left& left, const Part& part) {
    std::vector<double>& values = values_in(made, given, name, part);
    const int64_t width = part.width(*given.tap(name));
    for (size_t r = 0; r < part.rows.size(); ++r) {
        for (int64_t c = 0; c < width; ++c) {
            if (part.rows[r] >= left.first_row && part.column(c) >= left.first_column)
                values[r * static_cast<size_t>(width) + static_cast<size_t>(c)] = left.value;
        }
    }
    return made;
}

void add_left(const DiagnosisCase& given, std::string_view name, std::string_view cause,
              std::string words, std::map<std::string, std::string> parameters, int freedom,
              Left what, Hypotheses& into) {
    const TapValues& tap = *given.tap(name);
    what.value = tap.candidate.back();
    parameters["left"] = std::isnan(what.value) ? "not written" : "zero";
    words += std::isnan(what.value) ? " are not written" : " are left zero";
    Hypothesis alone{std::string(cause), std::move(parameters), std::move(words), freedom,
                     [&given, name = tap.name, what](const Part& part) {
                         return with_left({}, given, name, what, part);
                     }};
    alone.after = [&given, name = tap.name, what, alone](const Hypothesis& first) {
        Hypothesis both = alone;
        both.predict = [&given, name, what, first = first.predict](const Part& part) {
            return with_left(first(part), given, name, what, part);
        };
        return both;
    };
    into.push_back(std::move(alone));
}

Prediction with_scale(Prediction made, const DiagnosisCase& given, std::string_view name,
                      double factor, const Part& part) {
    for (double& value : values_in(made, given, name, part)) value *= factor;
    return made;
}

Hypothesis scaled(const DiagnosisCase& given, const TapValues& tap, std::string_view cause,
                  double factor, int freedom) {
    return {std::string(cause),
            {{"factor", number_text(factor)}},
            tap.name + " is multiplied by " + number_text(factor),
            freedom,
            [&given, own = tap.name, factor](const Part& part) {
                return with_scale({}, given, own, factor, part);
            }};
}

void add_scaled(const DiagnosisCase& given, std::string_view name, const OutputNames& names,
                Hypotheses& into) {
    const TapValues& tap = *given.tap(name);
    if (!names.scaled.empty()) into.push_back(scaled(given, tap, names.scaled, names.scale, 0));
    const Part part = given.sample(16);
    into.push_back(
        scaled(given, tap, names.scaled, fitted_scale(given, tap, part, truth_of(tap, part)), 2));
    into.back().after = [&given, &tap, part,
                         cause = std::string(names.scaled)](const Hypothesis& first) {
        Prediction before = first.predict(part);
        const double factor =
            fitted_scale(given, tap, part, values_in(before, given, tap.name, part));
        Hypothesis both = scaled(given, tap, cause, factor, 2);
        both.predict = [&given, &tap, factor, first = first.predict](const Part& asked) {
            return with_scale(first(asked), given, tap.name, factor, asked);
        };
        return both;
    };
}

}  // namespace

std::vector<double> truth_of(const TapValues& tap, const Part& part) {
    std::vector<double> values;
    const int64_t width = part.width(tap);
    for (const int64_t row : part.rows) {
        for (int64_t c = 0; c < width; ++c)
            values.push_back(tap.truth[static_cast<size_t>(row * tap.columns() + part.column(c))]);
    }
    return values;
}

std::string number_text(double value) {
    char text[32];
    std::snprintf(text, sizeof text,
                  std::abs(value) >= 1000 && std::abs(value) < 1e7 ? "%.0f" : "%.4g", value);
    return text;
}

double fitted_scale(const DiagnosisCase& given, const TapValues& tap, const Part& part,
                    const std::vector<double>& expected) {
    double along = 0, squares = 0;
    const int64_t width = part.width(tap);
    for (size_t r = 0; r < part.rows.size(); ++r) {
        for (int64_t c = 0; c < width; ++c) {
            const auto i = static_cast<size_t>(part.rows[r] * tap.columns() + part.column(c));
            const double own = expected[r * static_cast<size_t>(width) + static_cast<size_t>(c)];
            const double candidate = tap.candidate[i];
            if (!std::isfinite(candidate) || !std::isfinite(own)) continue;
            const double size = std::max(
                std::hypot(static_cast<double>(tap.noise[i]), given.rounding() * own), 1e-30);
            along += candidate * own / (size * size);
            squares += own * own / (size * size);
        }
    }
    return squares > 0 ? along / squares : 1;
}

void add_output_hypotheses(const DiagnosisCase& given, std::string_view name,
                           const OutputNames& names, Hypotheses& into) {
    const TapValues* const tap = given.tap(name);
    if (!tap) return;
    const int64_t columns = left_columns(*tap, given.rows());
    const int64_t rows = left_rows(*tap, given.rows());
    if (columns > 0 && columns < tap->columns()) {
        const int64_t usual = std::min<int64_t>(32, tap->columns());
        add_left(given, name, names.tail_columns,
                 "the last " + std::to_string(columns) + " columns of " + tap->name,
                 {{"columns", std::to_string(columns)}}, columns == usual ? 0 : 1,
                 {0, tap->columns() - columns}, into);
    }
    if (rows == given.rows() && rows < 4) {
        // So few rows don't tell whether others would be written.
        add_left(given, name, "", "all of " + tap->name, {}, 1, {0, 0}, into);
    }
    if (rows > 0) {
        add_left(given, name, names.tail_rows,
                 rows == given.rows()
                     ? "all rows of " + tap->name
                     : "the last " + std::to_string(rows) + " rows of " + tap->name,
                 {{"rows", std::to_string(rows)}}, rows == given.rows() % 4 ? 0 : 1,
                 {given.rows() - rows, 0}, into);
    }
    add_scaled(given, name, names, into);
}

}  // namespace lockstep
