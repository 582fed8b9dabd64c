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

std::vector<double> truth_of(const TapValues& tap, const Part& part) {
    std::vector<double> values;
    const int64_t width = part.width(tap);
    for (const int64_t row : part.rows) {
        for (int64_t c = 0; c < width; ++c)
            values.push_back(tap.truth[static_cast<size_t>(row * tap.columns() + part.column(c))]);
    }
    return values;
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

Prediction predict_left(const DiagnosisCase& given, std::string_view name, const Left& left,
                        const Part& part) {
    const TapValues& tap = *given.tap(name);
    std::vector<double> values = truth_of(tap, part);
    const int64_t width = part.width(tap);
    for (size_t r = 0; r < part.rows.size(); ++r) {
        for (int64_t c = 0; c < width; ++c) {
            if (part.rows[r] >= left.first_row && part.column(c) >= left.first_column)
                values[r * static_cast<size_t>(width) + static_cast<size_t>(c)] = left.value;
        }
    }
    Prediction made;
    made.taps.resize(given.taps().size());
    made.taps[given.tap_index(name)] = std::move(values);
    return made;
}

void add_left(const DiagnosisCase& given, std::string_view name, std::string_view cause,
              std::string words, std::map<std::string, std::string> parameters, int freedom,
              Left what, Hypotheses& into) {
    const TapValues& tap = *given.tap(name);
    what.value = tap.candidate.back();
    parameters["left"] = std::isnan(what.value) ? "not written" : "zero";
    words += std::isnan(what.value) ? " are not written" : " are left zero";
    into.push_back({std::string(cause), std::move(parameters), std::move(words), freedom,
                    [&given, name = tap.name, what](const Part& part) {
                        return predict_left(given, name, what, part);
                    }});
}

Prediction predict_scaled(const DiagnosisCase& given, std::string_view name, double factor,
                          const Part& part) {
    const TapValues& tap = *given.tap(name);
    Prediction made;
    made.taps.resize(given.taps().size());
    std::vector<double> values = truth_of(tap, part);
    for (double& value : values) value *= factor;
    made.taps[given.tap_index(name)] = std::move(values);
    return made;
}

void add_scaled(const DiagnosisCase& given, std::string_view name, const OutputNames& names,
                Hypotheses& into) {
    const TapValues& tap = *given.tap(name);
    const auto add = [&](double factor, int freedom) {
        into.push_back({std::string(names.scaled),
                        {{"factor", number_text(factor)}},
                        tap.name + " is multiplied by " + number_text(factor),
                        freedom,
                        [&given, own = tap.name, factor](const Part& part) {
                            return predict_scaled(given, own, factor, part);
                        }});
    };
    if (!names.scaled.empty()) add(names.scale, 0);
    const Part part = given.sample(16);
    add(fitted_scale(given, tap, part, truth_of(tap, part)), 2);
}

}  // namespace

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
