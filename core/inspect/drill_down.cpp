// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/drill_down.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace lockstep {
namespace {

constexpr int least_exponent = -40, most_exponent = 40;

std::optional<Tensor> tap_of(const SampleStep& run, std::string_view name) {
    for (const NamedTensor& tap : step_taps(run.args, true)) {
        if (tap.name == name) return tap.tensor;
    }
    return std::nullopt;
}

std::vector<float> values_of(const Tensor& tensor) {
    std::vector<float> values(static_cast<size_t>(tensor.numel()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = element(tensor, static_cast<int64_t>(i));
    return values;
}

// NaN and infinity are an error of infinity where truth has none.
double error_of(float value, float truth) {
    if (std::isfinite(value) && std::isfinite(truth))
        return std::abs(static_cast<double>(value) - truth);
    const bool same = std::isnan(value) ? std::isnan(truth) : value == truth;
    return same ? 0 : std::numeric_limits<double>::infinity();
}

std::vector<double> errors_of(const std::vector<float>& values, const std::vector<float>& truth) {
    std::vector<double> errors(values.size());
    std::transform(values.begin(), values.end(), truth.begin(), errors.begin(), error_of);
    return errors;
}

int64_t per_cell(int64_t count, int64_t cells) {
    return std::max<int64_t>(1, (count + cells - 1) / cells);
}

ErrorMap map_of(const std::vector<double>& errors, const TapLayout& layout,
                const DrillDownLimits& limits) {
    ErrorMap map;
    map.tokens_per_cell = per_cell(layout.rows, limits.map_rows);
    map.channels_per_cell = per_cell(layout.columns, limits.map_columns);
    // Cells that do not reach over the border of a head, where heads have room for one.
    const int64_t width = layout.columns / layout.heads;
    if (layout.heads > 1 && map.channels_per_cell < width) {
        while (width % map.channels_per_cell != 0) ++map.channels_per_cell;
    }
    map.rows = per_cell(layout.rows, map.tokens_per_cell);
    map.columns = per_cell(layout.columns, map.channels_per_cell);
    map.cells.assign(static_cast<size_t>(map.rows * map.columns), 0);
    for (int64_t row = 0; row < layout.rows; ++row) {
        for (int64_t column = 0; column < layout.columns; ++column) {
            const double error = errors[static_cast<size_t>(row * layout.columns + column)];
            double& cell = map.cells[static_cast<size_t>(row / map.tokens_per_cell * map.columns +
                                                         column / map.channels_per_cell)];
            cell = std::max(cell, error);
            if (std::isfinite(error)) map.largest = std::max(map.largest, error);
        }
    }
    return map;
}

// The exponent of an error that is not 0 and finite.
int bin_of(double error) {
    return std::clamp(std::ilogb(error), least_exponent, most_exponent);
}

ErrorHistogram histogram_of(const std::vector<double>& candidate,
                            const std::vector<double>& reference) {
    ErrorHistogram histogram;
    int first = most_exponent, last = least_exponent;
    for (const auto* errors : {&candidate, &reference}) {
        for (const double error : *errors) {
            if (error == 0 || !std::isfinite(error)) continue;
            first = std::min(first, bin_of(error));
            last = std::max(last, bin_of(error));
        }
    }
    if (first > last) first = last = 0;
    histogram.first_exponent = first;
    const auto fill = [&](const std::vector<double>& errors, std::vector<int64_t>& bins,
                          int64_t& exact, int64_t& not_finite) {
        bins.assign(static_cast<size_t>(last - first) + 1, 0);
        for (const double error : errors) {
            if (error == 0) {
                ++exact;
            } else if (!std::isfinite(error)) {
                ++not_finite;
            } else {
                ++bins[static_cast<size_t>(bin_of(error) - first)];
            }
        }
    };
    int64_t ignored = 0;
    fill(candidate, histogram.candidate, histogram.candidate_exact, histogram.candidate_not_finite);
    fill(reference, histogram.reference, histogram.reference_exact, ignored);
    return histogram;
}

}  // namespace

TapLayout::TapLayout(const Tensor& tap) {
    rows = tap.shape[0];
    columns = rows == 0 ? 0 : tap.numel() / rows;
    heads = tap.rank == 3 ? tap.shape[1] : 1;
}

std::optional<DrillDown> drill_down(const StepRuns& runs, std::string_view tensor,
                                    const DrillDownLimits& limits) {
    const auto candidate = tap_of(runs.candidate, tensor),
               reference = tap_of(runs.reference, tensor), truth = tap_of(runs.truth, tensor);
    if (!candidate || !reference || !truth || candidate->shape != truth->shape ||
        reference->shape != truth->shape || truth->numel() == 0)
        return std::nullopt;
    const auto own = values_of(*candidate), floor = values_of(*reference),
               exact = values_of(*truth);
    const std::vector<double> errors = errors_of(own, exact);
    const std::vector<double> floor_errors = errors_of(floor, exact);
    DrillDown result{TapLayout(*truth), {}, {}, {}, {}};
    result.map = map_of(errors, result.layout, limits);
    result.floor_map = map_of(floor_errors, result.layout, limits);
    result.histogram = histogram_of(errors, floor_errors);

    std::vector<size_t> order(errors.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const size_t worst = std::min(limits.worst, order.size());
    std::partial_sort(
        order.begin(), order.begin() + static_cast<std::ptrdiff_t>(worst), order.end(),
        [&](size_t a, size_t b) { return errors[a] != errors[b] ? errors[a] > errors[b] : a < b; });
    order.resize(worst);
    const int64_t width = result.layout.columns / result.layout.heads;
    for (const size_t at : order) {
        const auto index = static_cast<int64_t>(at);
        const int64_t column = index % result.layout.columns;
        result.worst.push_back({index / result.layout.columns, column / width, column % width,
                                own[at], floor[at], exact[at], errors[at],
                                errors[at] / ulp(exact[at], candidate->dtype)});
    }
    return result;
}

}  // namespace lockstep
