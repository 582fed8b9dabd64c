// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/html_report.h"

#include <algorithm>

#include "core/inspect/drill_down.h"
#include "core/inspect/html_figures.h"
#include "core/inspect/html_style.h"
#include "core/inspect/markup.h"
#include "core/inspect/report.h"

namespace lockstep {
namespace {

std::string element(const std::string& tag, const std::string& classes, const std::string& text) {
    const std::string open = classes.empty() ? tag : tag + " class=\"" + classes + '"';
    return '<' + open + '>' + escape_html(text) + "</" + tag + '>';
}

std::string heading(const std::string& text) {
    return element("h2", "", text) + '\n';
}

// A table's row: `words` cells to the left, then numbers to the right.
std::string row(const std::string& tag, const std::vector<std::string>& words,
                const std::vector<std::string>& numbers, const std::string& last = "") {
    std::string text = "<tr>";
    for (const std::string& word : words) text += element(tag, "word", word);
    for (const std::string& number : numbers) text += element(tag, "", number);
    return text + last + "</tr>\n";
}

std::string fact(const std::string& name, const std::string& value) {
    return element("dt", "", name) + element("dd", "", value) + '\n';
}

std::string figure(const ErrorFigures& figures, double value) {
    return figures.non_finite ? "not finite" : short_figure(value);
}

std::string drift_of(const TapComparison& tap) {
    return figure(tap.drift, tap.drift.max_abs);
}

class Page {
  public:
    Page(const Inspection& inspection, const std::vector<std::string>& prompts)
        : inspection_(inspection),
          comparison_(inspection.comparison),
          prompts_(prompts),
          layers_(worst_layers(comparison_)),
          layers_in_all_(layers_.size() < 2 ? 0 : layers_.size() - 2) {}

    std::string text() const {
        return head() + facts() + plot() + divergence() + diagnosis() + drill_downs() + logits() +
               missing() + all_figures() + "</body>\n</html>\n";
    }

  private:
    std::string title() const {
        return "Lockstep: " + comparison_.candidate + " against " + comparison_.reference;
    }
    bool diverged() const { return comparison_.diverged(); }
    std::string name(int layer) const { return layer_name(layer, layers_in_all_); }

    std::string head() const {
        return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
               "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
               "style-src 'unsafe-inline'\">\n" +
               element("title", "", title()) + "\n<style>" + html_style +
               "</style>\n</head>\n<body>\n" + element("h1", "", title()) + '\n' +
               element(
                   "p", diverged() ? "sentence diverged" : "sentence",
                   comparison_sentence(comparison_,
                                       inspection_.diagnosis ? &*inspection_.diagnosis : nullptr)) +
               '\n';
    }

    std::string facts() const {
        std::string text = "<dl>\n<dt>verdict</dt><dd>" +
                           element("span", diverged() ? "verdict diverged" : "verdict",
                                   diverged() ? "diverged" : "match") +
                           "</dd>\n";
        text += fact("model", comparison_.model) + fact("dtype", comparison_.dtype) +
                fact("device", comparison_.device);
        for (size_t i = 0; i < prompts_.size(); ++i) {
            const size_t tokens =
                i < comparison_.prompts.size() ? comparison_.prompts[i].size() : 0;
            const std::string number = prompts_.size() > 1 ? " " + std::to_string(i + 1) : "";
            text +=
                fact("prompt" + number, shortened(prompts_[i]) + "  (" + std::to_string(tokens) +
                                            (tokens == 1 ? " token)" : " tokens)"));
        }
        int decode_steps = 0;
        for (const PassComparison& pass : comparison_.passes)
            decode_steps = std::max(decode_steps, pass.pass);
        text += fact("decode steps", std::to_string(decode_steps));
        if (comparison_.planted) {
            const PlantedFault& planted = *comparison_.planted;
            text += fact("planted fault", fault_text(planted.fault) + ": " +
                                              std::string(outcome_name(planted.outcome)));
        }
        return text + fact("took", short_figure(comparison_.seconds) + " s") + "</dl>\n";
    }

    static std::string shortened(const std::string& prompt) {
        constexpr size_t most = 300;
        if (prompt.size() <= most) return prompt;
        size_t end = most;  // not inside a character
        while (end > most - 4 && (static_cast<unsigned char>(prompt[end]) & 0xc0) == 0x80) --end;
        return prompt.substr(0, end) + " ...";
    }

    std::string plot() const {
        return heading("Layers") + layer_plot_svg(layers_, comparison_.first) +
               "<p class=\"quiet\">Of each layer the tensor that says most, the worst of all "
               "prompts "
               "and passes. Drift: each path feeds itself. Local: one step from the same inputs; "
               "only "
               "this is judged. Noise floor: what the dtype costs the reference, against "
               "truth.</p>\n";
    }

    // The step of the first divergence as it was in that pass.
    const StepComparison* guilty() const {
        const Divergence& first = *comparison_.first;
        for (const PassComparison& pass : comparison_.passes) {
            if (pass.prompt != first.prompt || pass.pass != first.pass) continue;
            for (const LayerComparison& layer : pass.layers) {
                for (const StepComparison& step : layer.steps) {
                    const bool here = layer.layer == first.layer && step.step == first.step;
                    if (here && has_diverged(step)) return &step;
                }
            }
        }
        return nullptr;
    }
    static bool has_diverged(const StepComparison& step) {
        return std::any_of(step.taps.begin(), step.taps.end(),
                           [](const TapComparison& tap) { return tap.verdict.diverged; });
    }

    std::string divergence() const {
        const StepComparison* const step = comparison_.first ? guilty() : nullptr;
        if (!step) return {};
        const Divergence& first = *comparison_.first;
        std::string text = heading("First divergence: " + name(first.layer) + ", " +
                                   std::string(step_name(first.step)));
        const std::string pass =
            first.pass == 0 ? "the prefill" : "decode step " + std::to_string(first.pass);
        const std::string which =
            prompts_.size() > 1 ? " of prompt " + std::to_string(first.prompt + 1) : "";
        text += element("p", "",
                        "In " + pass + which + ", at position " + std::to_string(first.position) +
                            ". " +
                            (comparison_.input == InputState::identical
                                 ? "Its inputs are identical in both runs."
                                 : (comparison_.input == InputState::rounded
                                        ? "Its inputs are identical up to rounding: they differ by "
                                        : "Its inputs had drifted by ") +
                                       figure(step->input_drift, step->input_drift.max_abs) +
                                       " when each path fed itself; the figures of local are from "
                                       "the same inputs."));
        text += "\n<div class=\"scroll\"><table>\n" +
                row("th", {"tensor"},
                    {"max", "max relative", "RMS", "cosine", "within 1e-3", "ULPs", "floor max",
                     "floor RMS", "drift"},
                    element("th", "word", "verdict"));
        for (const TapComparison& tap : step->taps) {
            const ErrorFigures& local = tap.local;
            char cosine[32];
            std::snprintf(cosine, sizeof cosine, "%.6f", local.cosine);
            text += row("td", {tap.tensor},
                        {figure(local, local.max_abs), short_figure(local.max_rel),
                         short_figure(local.rms), cosine, percent(local.within_1e3),
                         short_figure(local.max_ulp), short_figure(tap.noise_floor.max_abs),
                         short_figure(tap.noise_floor.rms), drift_of(tap)},
                        verdict_cell(tap));
        }
        text += "</table></div>\n<ul>\n";
        for (const TapComparison& tap : step->taps) {
            if (!tap.verdict.diverged) continue;
            text += element("li", "",
                            tap.tensor + ", " + tap.verdict.part + ": " + tap.verdict.reason) +
                    '\n';
        }
        return text + "</ul>\n";
    }

    static std::string verdict_cell(const TapComparison& tap) {
        const bool bad = tap.verdict.diverged;
        return element("td", bad ? "word bad" : "word", bad ? "diverged" : "match");
    }

    std::string diagnosis() const {
        if (!inspection_.diagnosis) return {};
        const Diagnosis& found = *inspection_.diagnosis;
        std::string text = heading("Diagnosis");
        for (const Cause& cause : found.causes) text += cause_html(cause);
        if (!found.would_separate.empty())
            text += element("p", "", "What would tell them apart: " + found.would_separate) + '\n';
        const ErrorPattern& pattern = found.pattern;
        text += "<h3>The error's pattern</h3>\n<dl>\n" + fact("rows", pattern.rows) +
                fact("heads", pattern.heads) + fact("columns", pattern.columns) +
                fact("sign", pattern.sign) +
                fact("scale factor", short_figure(pattern.scale_factor)) + "</dl>\n";
        if (found.excluded.empty()) return text;
        text += "<details><summary>What was excluded (" + std::to_string(found.excluded.size()) +
                ")</summary>\n<table>\n" + row("th", {"cause"}, {"explains"});
        for (const ExcludedCause& excluded : found.excluded)
            text += row("td", {excluded.cause}, {percent(excluded.explained)});
        return text + "</table></details>\n";
    }

    static std::string cause_html(const Cause& cause) {
        std::string text = "<p>" + element("code", "", cause.cause);
        std::string parameters;
        for (const auto& [key, value] : cause.parameters)
            parameters.append(parameters.empty() ? " (" : ", ").append(key + " ").append(value);
        if (!parameters.empty()) text += escape_html(parameters + ")");
        text += escape_html(", confidence " + cause.confidence);
        if (cause.cause != "unknown") {
            text += escape_html(": explains " + percent(cause.explained) +
                                " of the error, the next best " + percent(cause.next_best));
        }
        return text + "</p>\n" + (cause.evidence.empty() ? "" : element("p", "", cause.evidence)) +
               '\n';
    }

    std::string drill_downs() const {
        const StepComparison* const step =
            inspection_.step && comparison_.first ? guilty() : nullptr;
        if (!step) return {};
        std::string text;
        for (const TapComparison& tap : step->taps) {
            if (tap.verdict.diverged) text += drill_down_html(tap.tensor);
        }
        return text;
    }

    std::string drill_down_html(const std::string& tensor) const {
        const auto found = drill_down(inspection_.step->runs, tensor);
        if (!found) return {};
        std::string text = heading("Where " + tensor + " is off") + error_map_svg(*found) +
                           histogram_svg(found->histogram) +
                           "<h3>Worst elements</h3>\n<div class=\"scroll\"><table>\n";
        const bool heads = found->layout.heads > 1;
        std::vector<std::string> names{"token"};
        if (heads) names.emplace_back("head");
        names.insert(names.end(), {"channel", "candidate", "reference", "truth", "error", "ULPs"});
        text += row("th", {}, names);
        for (const WorstElement& worst : found->worst) {
            std::vector<std::string> cells{std::to_string(worst.token)};
            if (heads) cells.push_back(std::to_string(worst.head));
            cells.push_back(std::to_string(worst.channel));
            for (const float value : {worst.candidate, worst.reference, worst.truth})
                cells.push_back(exact_figure(value));
            cells.push_back(short_figure(worst.error));
            cells.push_back(short_figure(worst.ulp));
            text += row("td", {}, cells);
        }
        return text + "</table></div>\n";
    }

    static std::string exact_figure(float value) {
        char text[32];
        std::snprintf(text, sizeof text, "%.6g", static_cast<double>(value));
        return text;
    }

    std::string logits() const {
        if (comparison_.passes.empty()) return {};
        const LogitsComparison worst = worst_logits(comparison_);
        return heading("What a user gets") +
               "<p class=\"quiet\">Of the logits when each path feeds itself, the worst of all "
               "prompts and passes.</p>\n<dl>\n" +
               fact("largest error", short_figure(worst.max_error)) +
               fact("KL divergence", short_figure(worst.kl) + " nats") +
               fact("same first choice", percent(worst.top1_agree)) +
               fact("of the five best", percent(worst.top5_overlap)) + "</dl>\n";
    }

    std::string missing() const {
        if (comparison_.missing.empty()) return {};
        std::string text =
            heading("Not judged") + "<p class=\"quiet\">The trace does not have these:</p>\n<ul>\n";
        for (const std::string& each : comparison_.missing) text += element("li", "", each) + '\n';
        return text + "</ul>\n";
    }

    std::string all_figures() const {
        std::string text =
            heading("Every figure") +
            "<details><summary>Layer by layer, the worst of all prompts and passes</summary>\n"
            "<div class=\"scroll\"><table>\n" +
            row("th", {"layer", "step", "tensor"},
                {"drift", "local", "local RMS", "floor", "floor RMS", "within 1e-3"},
                element("th", "word", "verdict"));
        for (const LayerComparison& layer : layers_) {
            for (const StepComparison& step : layer.steps) {
                for (const TapComparison& tap : step.taps) {
                    text += row("td",
                                {name(layer.layer), std::string(step_name(step.step)), tap.tensor},
                                {drift_of(tap), figure(tap.local, tap.local.max_abs),
                                 short_figure(tap.local.rms), short_figure(tap.noise_floor.max_abs),
                                 short_figure(tap.noise_floor.rms), percent(tap.local.within_1e3)},
                                verdict_cell(tap));
                }
            }
        }
        return text + "</table></div></details>\n";
    }

    const Inspection& inspection_;
    const Comparison& comparison_;
    const std::vector<std::string>& prompts_;
    std::vector<LayerComparison> layers_;
    size_t layers_in_all_;
};

}  // namespace

std::string html_report(const Inspection& inspection,
                        const std::vector<std::string>& prompt_texts) {
    return Page(inspection, prompt_texts).text();
}

}  // namespace lockstep
