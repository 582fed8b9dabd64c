// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/report.h"
#include "core/inspect/diagnosis_words.h"

#include <algorithm>
#include <cstdio>

namespace lockstep {
namespace {

// Figures of the finite elements alone would say that all is well: null where one is not finite.
OrderedJson number_json(const ErrorFigures& figures, double value) {
    return figures.non_finite ? OrderedJson() : OrderedJson(value);
}

OrderedJson max_and_rms(const ErrorFigures& figures) {
    return {{"max", number_json(figures, figures.max_abs)},
            {"rms", number_json(figures, figures.rms)}};
}

OrderedJson tap_json(const TapComparison& tap) {
    const ErrorFigures& local = tap.local;
    return {
        {"tensor", tap.tensor},
        {"drift", max_and_rms(tap.drift)},
        {"local",
         {{"max", number_json(local, local.max_abs)},
          {"rms", number_json(local, local.rms)},
          {"max_rel", number_json(local, local.max_rel)},
          {"cosine", number_json(local, local.cosine)},
          {"within_1e3", local.within_1e3},
          {"ulp", number_json(local, local.max_ulp)}}},
        {"noise_floor", max_and_rms(tap.noise_floor)},
        {"diverged", tap.verdict.diverged},
    };
}

OrderedJson layers_json(const std::vector<LayerComparison>& layers) {
    OrderedJson all = OrderedJson::array();
    for (const LayerComparison& layer : layers) {
        OrderedJson steps = OrderedJson::array();
        for (const StepComparison& step : layer.steps) {
            OrderedJson taps = OrderedJson::array();
            for (const TapComparison& tap : step.taps) taps.push_back(tap_json(tap));
            steps.push_back({{"step", step_name(step.step)}, {"taps", std::move(taps)}});
        }
        all.push_back({{"layer", layer.layer}, {"steps", std::move(steps)}});
    }
    return all;
}

OrderedJson logits_json(const LogitsComparison& worst) {
    return {{"max_error", worst.max_error},
            {"kl", worst.kl},
            {"top1_agree", worst.top1_agree},
            {"top5_overlap", worst.top5_overlap},
            {"allclose_1e3", worst.allclose_1e3}};
}

OrderedJson divergence_json(const std::optional<Divergence>& first) {
    if (!first) return nullptr;
    return {{"layer", first->layer},       {"step", step_name(first->step)},
            {"tensor", first->tensor},     {"position", first->position},
            {"prompt", first->prompt + 1}, {"pass", first->pass}};
}

std::string short_number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2g", value);
    return text;
}

const TapComparison* find_tap(const Comparison& comparison, const Divergence& where) {
    for (const PassComparison& pass : comparison.passes) {
        if (pass.prompt != where.prompt || pass.pass != where.pass) continue;
        for (const LayerComparison& layer : pass.layers) {
            for (const StepComparison& step : layer.steps) {
                if (layer.layer != where.layer || step.step != where.step) continue;
                for (const TapComparison& tap : step.taps) {
                    if (tap.tensor == where.tensor && tap.verdict.diverged) return &tap;
                }
            }
        }
    }
    return nullptr;
}

// A trace that lacks the step's inputs can't say in which of the steps before them it went wrong.
std::string computed_inputs_text(const Comparison& comparison, const Divergence& where) {
    std::string names;
    for (const PassComparison& pass : comparison.passes) {
        if (pass.pass != where.pass || pass.prompt != where.prompt) continue;
        for (const LayerComparison& layer : pass.layers) {
            for (const StepComparison& step : layer.steps) {
                if (layer.layer != where.layer || step.step != where.step || !names.empty())
                    continue;
                for (const std::string& input : step.computed_inputs)
                    names += (names.empty() ? "" : ", ") + input;
            }
        }
    }
    if (names.empty()) return {};
    return " The trace lacks its input (" + names +
           "): the fault is here or in a step before it, as far back as the trace's last tensor.";
}

OrderedJson input_json(const Comparison& comparison) {
    if (!comparison.first) return nullptr;
    const ErrorFigures& drift = comparison.input_drift;
    return {{"state", input_state_name(comparison.input)},
            {"max", number_json(drift, drift.max_abs)},
            {"rms", number_json(drift, drift.rms)}};
}

std::string input_text(const Comparison& comparison) {
    const ErrorFigures& drift = comparison.input_drift;
    switch (comparison.input) {
        case InputState::identical:
            return ". Its input is identical.";
        case InputState::rounded:
            return ". Its input is identical up to rounding (RMS " + short_number(drift.rms) + ").";
        case InputState::drifted:
            break;
    }
    if (drift.non_finite) return ". Its input was not finite already.";
    return ". Its input had drifted by " + short_number(drift.max_abs) + " already.";
}

// "layer 3, qkv"; "embed" and "logits" are in no layer.
std::string place_text(int layer, StepId step) {
    const std::string name(step_name(step));
    const bool in_layer = step != StepId::embed && step != StepId::logits;
    return in_layer ? "layer " + std::to_string(layer) + ", " + name : name;
}

OrderedJson planted_json(const std::optional<PlantedFault>& planted) {
    if (!planted) return nullptr;
    OrderedJson times_floor, shows_with;  // null
    if (planted->outcome != PlantOutcome::found) times_floor = planted->times_floor;
    if (!planted->shows_with().empty()) shows_with = planted->shows_with();
    const FaultInfo* const known = find_fault(planted->fault.name);
    return {{"fault", planted->fault.name},
            {"layer", planted->fault.layer},
            {"step", known ? step_name(known->step) : ""},
            {"outcome", outcome_name(planted->outcome)},
            {"times_floor", std::move(times_floor)},
            {"shows_with", std::move(shows_with)}};
}

std::string unseen_text(const PlantedFault& planted) {
    const std::string times =
        short_number(planted.times_floor) + " times the floor's largest error";
    switch (planted.outcome) {
        case PlantOutcome::found:
            return {};
        case PlantOutcome::no_effect:
            return "changes nothing on these inputs: truth with the fault in it is the same bit "
                   "for bit";
        case PlantOutcome::under_floor:
            return "has an effect below the noise floor on these inputs: truth with the fault in "
                   "it is a match, too (" +
                   times + ")";
        case PlantOutcome::missed:
            return "is not seen, though truth with the fault in it diverges there (" + times + ")";
    }
    return {};
}

std::string match_sentence(const Comparison& comparison) {
    const std::string match = comparison.candidate + " matches " + comparison.reference;
    if (!comparison.drift_unexplained) return match + " in every step.";
    return match +
           " in every step when given the same inputs, but run by itself it drifts far "
           "beyond rounding: look for state, a cache row or a position, and for small errors that "
           "all go the same way.";
}

std::string parted_sentence(const Comparison& comparison, const Diagnosis* diagnosis) {
    const Divergence& first = *comparison.first;
    const TapComparison* const tap = find_tap(comparison, first);
    std::string text = comparison.candidate + " parts from " + comparison.reference + " in " +
                       place_text(first.layer, first.step) + ": " + first.tensor;
    if (tap && tap->local.non_finite) {
        text += " is not finite";
    } else if (tap) {
        text += " is off by " + short_number(tap->local.max_abs) + " (floor " +
                short_number(tap->noise_floor.max_abs) + ")";
    }
    text += first.pass == 0 ? " at token " + std::to_string(first.position)
                            : " in decode step " + std::to_string(first.pass);
    text += input_text(comparison);
    text += computed_inputs_text(comparison, first);
    return diagnosis ? text + " " + diagnosis_sentence(*diagnosis) : text;
}

}  // namespace

LogitsComparison worst_logits(const Comparison& comparison) {
    LogitsComparison worst;
    for (const PassComparison& pass : comparison.passes) {
        worst.max_error = std::max(worst.max_error, pass.logits.max_error);
        worst.kl = std::max(worst.kl, pass.logits.kl);
        worst.top1_agree = std::min(worst.top1_agree, pass.logits.top1_agree);
        worst.top5_overlap = std::min(worst.top5_overlap, pass.logits.top5_overlap);
        worst.allclose_1e3 = worst.allclose_1e3 && pass.logits.allclose_1e3;
    }
    return worst;
}

std::string layer_name(int layer, size_t layers_in_all) {
    if (layer < 0) return "embed";
    if (static_cast<size_t>(layer) >= layers_in_all) return "logits";
    return "layer " + std::to_string(layer);
}

OrderedJson comparison_json(const Comparison& comparison,
                            const std::vector<std::string>& prompt_texts,
                            const Diagnosis* diagnosis) {
    OrderedJson prompts = prompt_texts, tokens = comparison.prompts;
    if (prompt_texts.size() == 1) {
        prompts = prompt_texts.front();
        tokens = comparison.prompts.front();
    }
    return {
        {"model", comparison.model},
        {"device", comparison.device},
        {"dtype", comparison.dtype},
        {"prompt", std::move(prompts)},
        {"tokens", std::move(tokens)},
        {"candidate", comparison.candidate},
        {"reference", comparison.reference},
        {"layers", layers_json(worst_layers(comparison))},
        {"first_divergence", divergence_json(comparison.first)},
        {"input_identical", comparison.input != InputState::drifted},
        {"input", input_json(comparison)},
        {"drift_unexplained", comparison.drift_unexplained},
        {"planted", planted_json(comparison.planted)},
        {"logits", logits_json(worst_logits(comparison))},
        {"verdict", comparison.diverged() ? "diverged" : "match"},
        {"diagnosis", diagnosis ? diagnosis_json(*diagnosis) : OrderedJson::array()},
        {"missing", comparison.missing},
        {"seconds", comparison.seconds},
    };
}

std::string planted_sentence(const Comparison& comparison) {
    if (!comparison.planted || comparison.planted->outcome == PlantOutcome::found) return {};
    const PlantedFault& planted = *comparison.planted;
    const FaultInfo* const known = find_fault(planted.fault.name);
    if (!known) return {};
    std::string text = "The fault planted in " + place_text(planted.fault.layer, known->step) +
                       " (" + planted.fault.name + ") " + unseen_text(planted) + ".";
    if (const std::string_view tokens = planted.shows_with(); !tokens.empty())
        text += " It shows with " + std::string(tokens) + ".";
    return text;
}

std::string comparison_sentence(const Comparison& comparison, const Diagnosis* diagnosis) {
    const std::string text =
        comparison.first ? parted_sentence(comparison, diagnosis) : match_sentence(comparison);
    const std::string planted = planted_sentence(comparison);
    return planted.empty() ? text : text + " " + planted;
}

}  // namespace lockstep
