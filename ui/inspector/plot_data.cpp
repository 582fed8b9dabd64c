// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspector/plot_data.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lockstep {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
// Of the axis' decades, what a band for 0 or infinity takes.
constexpr double band_share = 0.18;
constexpr double least_band = 0.5;  // decades

struct Said {  // how much a tap has to tell
    bool diverged;
    double weight;
    bool operator<(const Said& other) const {
        return diverged != other.diverged ? other.diverged : weight < other.weight;
    }
};

Said said(const TapComparison& tap, Metric metric) {
    const double local = figure(tap.local, metric), floor = figure(tap.noise_floor, metric);
    if (!tap.verdict.diverged) return {false, local};
    return {true, floor > 0 && std::isfinite(floor) ? local / floor : infinity};
}

bool is_first(const Divergence& first, int layer, StepId step, bool by_step) {
    return first.layer == layer && (!by_step || first.step == step);
}

// The point of some steps: of one, or of all that a layer has.
std::optional<PlotPoint> make_point(int layer, std::span<const StepComparison> steps,
                                    const PlotChoice& choice) {
    const TapComparison* most = nullptr;
    PlotPoint point;
    point.layer = layer;
    for (const StepComparison& step : steps) {
        for (const TapComparison& tap : step.taps) {
            if (!choice.tensor.empty() && tap.tensor != choice.tensor) continue;
            point.diverged = point.diverged || tap.verdict.diverged;
            if (most && !(said(*most, choice.metric) < said(tap, choice.metric))) continue;
            most = &tap;
            point.step = step.step;
        }
    }
    if (!most) return std::nullopt;
    point.tensor = most->tensor;
    point.drift = figure(most->drift, choice.metric);
    point.local = figure(most->local, choice.metric);
    point.noise_floor = figure(most->noise_floor, choice.metric);
    return point;
}

const TapComparison* find_tap(const PassComparison& pass, int layer, StepId step,
                              const std::string& tensor) {
    for (const LayerComparison& each : pass.layers) {
        if (each.layer != layer) continue;
        for (const StepComparison& candidate : each.steps) {
            if (candidate.step != step) continue;
            for (const TapComparison& tap : candidate.taps)
                if (tap.tensor == tensor) return &tap;
        }
    }
    return nullptr;
}

}  // namespace

double figure(const ErrorFigures& figures, Metric metric) {
    if (figures.non_finite) return infinity;
    switch (metric) {
        case Metric::max_abs:
            return figures.max_abs;
        case Metric::rms:
            return figures.rms;
        case Metric::max_rel:
            return figures.max_rel;
        case Metric::max_ulp:
            return figures.max_ulp;
        case Metric::cosine_distance:
            return std::max(0.0, 1 - figures.cosine);
        case Metric::outside_1e3:
            return std::max(0.0, 1 - figures.within_1e3);
    }
    return 0;
}

std::optional<size_t> PlotData::find(int layer, StepId step) const {
    for (size_t i = 0; i < points.size(); ++i)
        if (points[i].layer == layer && (!by_step || points[i].step == step)) return i;
    return std::nullopt;
}

PlotData plot_data(const Comparison& comparison, const PlotChoice& choice) {
    const bool one_pass = choice.pass && *choice.pass < comparison.passes.size();
    const std::vector<LayerComparison> layers =
        one_pass ? comparison.passes[*choice.pass].layers : worst_layers(comparison);
    PlotData data;
    data.by_step = choice.by_step;
    data.num_hidden_layers = std::max(0, static_cast<int>(layers.size()) - 2);
    const auto add = [&](int layer, std::span<const StepComparison> steps) {
        if (auto point = make_point(layer, steps, choice)) data.points.push_back(std::move(*point));
    };
    for (const LayerComparison& layer : layers) {
        if (!choice.by_step) {
            add(layer.layer, layer.steps);
            continue;
        }
        for (const StepComparison& step : layer.steps) add(layer.layer, {&step, 1});
    }
    const auto first = std::find_if(data.points.begin(), data.points.end(), [&](const auto& point) {
        return comparison.first &&
               is_first(*comparison.first, point.layer, point.step, choice.by_step);
    });
    if (first != data.points.end()) data.first = static_cast<size_t>(first - data.points.begin());
    return data;
}

std::vector<std::string> plot_tensors(const Comparison& comparison) {
    std::vector<std::string> names;
    if (comparison.passes.empty()) return names;
    for (const LayerComparison& layer : comparison.passes.front().layers) {
        for (const StepComparison& step : layer.steps) {
            for (const TapComparison& tap : step.taps) {
                if (std::find(names.begin(), names.end(), tap.tensor) == names.end())
                    names.push_back(tap.tensor);
            }
        }
    }
    return names;
}

std::optional<Divergence> worst_place(const Comparison& comparison, int layer, StepId step,
                                      const std::string& tensor, std::optional<size_t> pass) {
    std::optional<Divergence> found;
    Said most{false, -1};
    for (size_t i = 0; i < comparison.passes.size(); ++i) {
        if (pass && *pass != i) continue;
        const PassComparison& each = comparison.passes[i];
        const TapComparison* tap = find_tap(each, layer, step, tensor);
        if (!tap) continue;
        const Said here{tap->verdict.diverged, figure(tap->local, Metric::max_abs)};
        if (!(most < here)) continue;
        most = here;
        found = Divergence{each.prompt, each.pass, layer, step, tensor, tap->position};
    }
    return found;
}

double LogScale::place(double value) const {
    if (!std::isfinite(value)) return infinite;
    return value > 0 ? value : zero;
}

LogScale log_scale(std::span<const double> values) {
    LogScale scale;
    double least = infinity, most = 0;
    for (const double value : values) {
        if (!std::isfinite(value)) {
            scale.has_infinite = true;
        } else if (value <= 0) {
            scale.has_zero = true;
        } else {
            least = std::min(least, value);
            most = std::max(most, value);
        }
    }
    if (most <= 0) least = most = 1e-3;  // nothing but bands
    double low = std::floor(std::log10(least) - 0.1), high = std::ceil(std::log10(most) + 0.1);
    const double band = std::max(least_band, (high - low) * band_share);
    scale.zero_edge = std::pow(10, low);
    scale.infinite_edge = std::pow(10, high);
    scale.zero = std::pow(10, low - band / 2);
    scale.infinite = std::pow(10, high + band / 2);
    if (scale.has_zero) low -= band;
    if (scale.has_infinite) high += band;
    scale.lower = std::pow(10, low);
    scale.upper = std::pow(10, high);
    return scale;
}

}  // namespace lockstep
