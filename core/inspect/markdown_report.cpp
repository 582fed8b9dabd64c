// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/markdown_report.h"

#include <algorithm>

#include "core/inspect/html_figures.h"
#include "core/inspect/markup.h"
#include "core/inspect/report.h"

namespace lockstep {
namespace {

// More would not be read in a pull request.
constexpr size_t most_rows = 12;

std::string figure(const ErrorFigures& figures) {
    return figures.non_finite ? "not finite" : short_figure(figures.max_abs);
}

std::string cells(const std::vector<std::string>& texts) {
    std::string line = "|";
    for (const std::string& text : texts) line += ' ' + text + " |";
    return line + '\n';
}

std::string tap_line(const std::string& layer, StepId step, const TapComparison& tap) {
    return cells({layer, escape_markdown(step_name(step)), escape_markdown(tap.tensor),
                  figure(tap.drift), figure(tap.local), figure(tap.noise_floor),
                  percent(tap.local.within_1e3), tap.verdict.diverged ? "**diverged**" : "match"});
}

// Every tap that diverged, where some did; else the logits and the worst of the layers.
std::string table(const std::vector<LayerComparison>& layers, bool diverged) {
    const size_t layers_in_all = layers.size() < 2 ? 0 : layers.size() - 2;
    std::string text = cells({"layer", "step", "tensor", "drift", "local", "noise floor",
                              "within 1e-3", "verdict"}) +
                       "|---|---|---|--:|--:|--:|--:|---|\n";
    size_t rows = 0, left_out = 0;
    const auto add = [&](int layer, StepId step, const TapComparison& tap) {
        if (rows == most_rows) {
            ++left_out;
            return;
        }
        ++rows;
        text += tap_line(layer_name(layer, layers_in_all), step, tap);
    };
    for (const LayerComparison& layer : layers) {
        for (const StepComparison& step : layer.steps) {
            for (const TapComparison& tap : step.taps) {
                if (diverged ? tap.verdict.diverged : step.step == StepId::logits)
                    add(layer.layer, step.step, tap);
            }
        }
    }
    if (left_out > 0) text += "\n... and " + std::to_string(left_out) + " more that diverged.\n";
    return text;
}

std::string cause_line(const Cause& cause) {
    std::string text = "- `" + cause.cause + '`';
    for (const auto& [key, value] : cause.parameters)
        text += ", " + escape_markdown(key) + ' ' + escape_markdown(value);
    if (cause.cause != "unknown") {
        text += ": explains " + percent(cause.explained) + ", next best " +
                percent(cause.next_best) + ", confidence " + escape_markdown(cause.confidence);
    }
    if (!cause.evidence.empty()) text += ". " + escape_markdown(cause.evidence);
    return text + '\n';
}

}  // namespace

std::string markdown_report(const Inspection& inspection,
                            const std::vector<std::string>& prompt_texts) {
    const Comparison& comparison = inspection.comparison;
    std::string text = "### Lockstep: " + escape_markdown(comparison.candidate) + " against " +
                       escape_markdown(comparison.reference) + ": " +
                       (comparison.diverged() ? "diverged" : "match") + "\n\n" +
                       escape_markdown(comparison_sentence(comparison)) + "\n\n";
    if (inspection.diagnosis) {
        for (const Cause& cause : inspection.diagnosis->causes) text += cause_line(cause);
        if (!inspection.diagnosis->causes.empty()) text += '\n';
    }
    text += table(worst_layers(comparison), comparison.diverged()) + '\n';
    const LogitsComparison logits = worst_logits(comparison);
    text += "Logits, each path fed by itself: largest error " + short_figure(logits.max_error) +
            ", KL " + short_figure(logits.kl) + " nats, same first choice " +
            percent(logits.top1_agree) + ".\n\n";
    size_t tokens = 0;
    for (const std::vector<int32_t>& prompt : comparison.prompts) tokens += prompt.size();
    int decode_steps = 0;
    for (const PassComparison& pass : comparison.passes)
        decode_steps = std::max(decode_steps, pass.pass);
    const std::string prompt = prompt_texts.size() == 1 && prompt_texts.front().size() <= 80
                                   ? "prompt \"" + escape_markdown(prompt_texts.front()) + "\""
                                   : std::to_string(comparison.prompts.size()) + " prompts";
    return text + "<sub>" + escape_markdown(comparison.model) + ", " +
           escape_markdown(comparison.dtype) + ", " + escape_markdown(comparison.device) + "; " +
           prompt + ", " + std::to_string(tokens) + " tokens, " + std::to_string(decode_steps) +
           " decode steps.</sub>\n";
}

}  // namespace lockstep
