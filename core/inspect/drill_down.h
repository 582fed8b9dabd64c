// SPDX-License-Identifier: GPL-3.0-or-later
// What is looked at once the guilty step is known: where in a tap the errors lie, how they are
// spread beside the noise floor's, and the worst elements with their numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/inspect/comparison.h"

namespace lockstep {

// A tap as its rows are laid out: tokens, and the columns of all heads side by side.
struct TapLayout {
    int64_t rows = 0, columns = 0;
    int64_t heads = 1;  // columns / heads of them belong to a head
    explicit TapLayout(const Tensor& tap);
};

// |candidate - truth| over token x channel, each cell the largest error of its elements.
struct ErrorMap {
    int64_t rows = 0, columns = 0;                       // of cells
    int64_t tokens_per_cell = 1, channels_per_cell = 1;  // the last ones may hold fewer
    std::vector<double> cells;  // row by row; infinity where a value is not finite
    double largest = 0;         // of the finite ones
};

// How many elements have an error in [2^exponent, 2^(exponent + 1)), beside how many of the noise
// floor's have; bin i is of exponent first_exponent + i.
struct ErrorHistogram {
    int first_exponent = 0;
    std::vector<int64_t> candidate, reference;
    int64_t candidate_exact = 0, reference_exact = 0;  // no error at all
    int64_t candidate_not_finite = 0;
};

struct WorstElement {
    int64_t token = 0;              // row of the tap
    int64_t head = 0, channel = 0;  // channel: within the head
    float candidate = 0, reference = 0, truth = 0;
    double error = 0;  // |candidate - truth|
    double ulp = 0;    // the same in units in the last place of the candidate's dtype, at truth
};

struct DrillDown {
    TapLayout layout;
    ErrorMap map;
    ErrorMap floor_map;  // the same of |reference - truth|
    ErrorHistogram histogram;
    std::vector<WorstElement> worst;  // largest error first
};

struct DrillDownLimits {
    int64_t map_rows = 48, map_columns = 96;
    size_t worst = 10;
};

// None where the step has no such tap, or not in one shape.
std::optional<DrillDown> drill_down(const StepRuns& runs, std::string_view tensor,
                                    const DrillDownLimits& limits = {});

}  // namespace lockstep
