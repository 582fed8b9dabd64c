// SPDX-License-Identifier: GPL-3.0-or-later
// The drawings of an HTML report, as inline SVG that takes its colours from the page's style sheet.
// Internal to html_report().
#pragma once

#include <string>
#include <vector>

#include "core/inspect/comparison.h"
#include "core/inspect/drill_down.h"

namespace lockstep {

// What stands for a layer in the plot: of the taps that diverged the one furthest over its noise
// floor, where none did the one with the largest local error.
struct LayerPoint {
    int layer = -1;
    StepId step = StepId::embed;
    const TapComparison* tap = nullptr;  // null where the layer has none that could be compared
};
std::vector<LayerPoint> layer_points(const std::vector<LayerComparison>& layers);

// Layers x maximal error on a log axis: drift, local and noise floor, rings where something
// diverged, a labelled line at the first divergence.
std::string layer_plot_svg(const std::vector<LayerComparison>& layers,
                           const std::optional<Divergence>& first);

// Token x channel, the largest error of each cell by its shade on a log scale.
std::string error_map_svg(const DrillDown& drill_down);

// Candidate's errors against the noise floor's, per power of two.
std::string histogram_svg(const ErrorHistogram& histogram);

}  // namespace lockstep
