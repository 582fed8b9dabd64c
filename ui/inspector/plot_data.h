// SPDX-License-Identifier: GPL-3.0-or-later
// What the plot over layers shows, as plain values: a comparison becomes a row of points, and a log
// axis gets a place for what has no logarithm. No Qt in here.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/inspect/comparison.h"

namespace lockstep {

enum class Metric { max_abs, rms, max_rel, max_ulp, cosine_distance, outside_1e3 };
inline constexpr Metric all_metrics[] = {Metric::max_abs,         Metric::rms,
                                         Metric::max_rel,         Metric::max_ulp,
                                         Metric::cosine_distance, Metric::outside_1e3};

// The number of `figures` that a metric shows, larger is worse; infinity where the tensors are not
// finite, or could not be compared. cosine_distance is 1 - cosine, outside_1e3 is 1 - within_1e3.
double figure(const ErrorFigures& figures, Metric metric);

struct PlotChoice {
    Metric metric = Metric::max_abs;
    std::string tensor;          // empty: of each point the tensor that says most
    bool by_step = false;        // a point for each step, not for each layer
    std::optional<size_t> pass;  // of Comparison::passes; none: the worst of all
    bool operator==(const PlotChoice&) const = default;
};

struct PlotPoint {
    int layer = -1;  // as in Comparison: -1 is embed, num_hidden_layers logits
    StepId step = StepId::embed;
    std::string tensor;  // whose figures these are
    double drift = 0, local = 0, noise_floor = 0;
    bool diverged = false;  // some tensor of the layer (or of the step)
};

struct PlotData {
    std::vector<PlotPoint> points;  // in the order of execution
    std::optional<size_t> first;    // the point of the first divergence
    int num_hidden_layers = 0;
    bool by_step = false;
    // The point of a layer, or of one of its steps where there is one for each; none where there is
    // no such point (a tensor that this layer lacks was chosen).
    std::optional<size_t> find(int layer, StepId step) const;
};

// A point's tensor is the chosen one; else, of those that diverged, the one furthest over its noise
// floor; where none did, the one with the largest local error.
PlotData plot_data(const Comparison& comparison, const PlotChoice& choice);

// Every tensor of a comparison once, in the order of execution: "hidden", "q", "k", ...
std::vector<std::string> plot_tensors(const Comparison& comparison);

// Where a tap is worst: of the passes (or of the one that is chosen) one in which it diverged, else
// the one with the largest local error. None where no pass has it.
std::optional<Divergence> worst_place(const Comparison& comparison, int layer, StepId step,
                                      const std::string& tensor, std::optional<size_t> pass);

// A log axis that also has a place for 0 (paths that agree to the last bit) and for infinity: a
// band below and a band above the decades, each with its coordinate.
struct LogScale {
    double lower = 1e-4, upper = 1;  // of the whole axis, bands included
    double zero = 0, infinite = 0;   // coordinates, where there is such a band
    double zero_edge = 0, infinite_edge = 0;
    bool has_zero = false, has_infinite = false;
    double place(double value) const;
};
LogScale log_scale(std::span<const double> values);

}  // namespace lockstep
