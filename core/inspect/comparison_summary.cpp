// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>

#include "core/inspect/comparison.h"

namespace lockstep {
namespace {

// The worse of two figures of the same tap, number by number.
void take_worse(ErrorFigures& into, const ErrorFigures& other) {
    if (other.non_finite || (!into.non_finite && other.max_abs > into.max_abs))
        into.worst_index = other.worst_index;
    into.max_abs = std::max(into.max_abs, other.max_abs);
    into.max_rel = std::max(into.max_rel, other.max_rel);
    into.rms = std::max(into.rms, other.rms);
    into.cosine = std::min(into.cosine, other.cosine);
    into.within_1e3 = std::min(into.within_1e3, other.within_1e3);
    into.max_ulp = std::max(into.max_ulp, other.max_ulp);
    into.non_finite = into.non_finite || other.non_finite;
}

void take_worse(TapComparison& into, const TapComparison& other) {
    const bool replace = other.verdict.diverged && !into.verdict.diverged;
    const bool as_bad = other.verdict.diverged == into.verdict.diverged;
    if (replace || (as_bad && other.local.max_abs > into.local.max_abs)) {
        into.verdict = other.verdict;
        into.position = other.position;
    }
    take_worse(into.drift, other.drift);
    take_worse(into.local, other.local);
    take_worse(into.noise_floor, other.noise_floor);
    into.allclose_1e3 = into.allclose_1e3 && other.allclose_1e3;
}

void take_worse(StepComparison& into, const StepComparison& other) {
    take_worse(into.input_drift, other.input_drift);
    into.input = std::max(into.input, other.input);
    for (const TapComparison& tap : other.taps) {
        const auto same = std::find_if(into.taps.begin(), into.taps.end(),
                                       [&](const auto& mine) { return mine.tensor == tap.tensor; });
        if (same != into.taps.end()) take_worse(*same, tap);
    }
}

std::optional<Divergence> first_divergence(const PassComparison& pass) {
    for (const LayerComparison& layer : pass.layers) {
        for (const StepComparison& step : layer.steps) {
            for (const TapComparison& tap : step.taps) {
                if (tap.verdict.diverged) {
                    return Divergence{pass.prompt, pass.pass,  layer.layer,
                                      step.step,   tap.tensor, tap.position};
                }
            }
        }
    }
    return std::nullopt;
}

const StepComparison* find_step(const PassComparison& pass, const Divergence& where) {
    for (const LayerComparison& layer : pass.layers) {
        for (const StepComparison& step : layer.steps) {
            if (layer.layer == where.layer && step.step == where.step) return &step;
        }
    }
    return nullptr;
}

}  // namespace

std::string_view input_state_name(InputState state) {
    if (state == InputState::identical) return "identical";
    return state == InputState::rounded ? "rounded" : "drifted";
}

InputState input_state(const ErrorFigures& drift, DType dtype, int64_t steps) {
    if (drift.non_finite) return InputState::drifted;
    if (drift.max_abs == 0) return InputState::identical;
    constexpr double slack = 8;
    const double relative = std::sqrt(std::max(0.0, 2 * (1 - drift.cosine)));
    const double allowed = slack * unit_roundoff(dtype) * std::sqrt(1 + static_cast<double>(steps));
    return relative <= allowed ? InputState::rounded : InputState::drifted;
}

int64_t steps_before(int layer, StepId step) {
    if (layer < 0) return 0;
    constexpr int64_t per_layer = 5;
    const bool in_layer = step != StepId::logits;
    return 1 + layer * per_layer +
           (in_layer ? static_cast<int64_t>(step) - static_cast<int64_t>(StepId::qkv) : 0);
}

bool PassComparison::diverged() const {
    return first_divergence(*this).has_value();
}

void find_first_divergence(Comparison& comparison) {
    for (const PassComparison& pass : comparison.passes) {
        comparison.first = first_divergence(pass);
        if (!comparison.first) continue;
        if (const StepComparison* step = find_step(pass, *comparison.first)) {
            comparison.input = step->input;
            comparison.input_drift = step->input_drift;
        }
        return;
    }
}

std::vector<LayerComparison> worst_layers(const Comparison& comparison) {
    std::vector<LayerComparison> worst;
    for (const PassComparison& pass : comparison.passes) {
        if (worst.empty()) {
            worst = pass.layers;
            continue;
        }
        for (size_t layer = 0; layer < worst.size() && layer < pass.layers.size(); ++layer) {
            for (size_t step = 0; step < worst[layer].steps.size(); ++step)
                take_worse(worst[layer].steps[step], pass.layers[layer].steps[step]);
        }
    }
    return worst;
}

}  // namespace lockstep
