// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/self_test_report.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "kernels/step_catalog.h"

namespace lockstep {
namespace {

using Cells = std::vector<SelfTestCell>;

template <class Keep>
Cells cells_where(const Cells& cells, const Keep& keep) {
    Cells kept;
    std::copy_if(cells.begin(), cells.end(), std::back_inserter(kept), keep);
    return kept;
}

std::vector<std::string> models_of(const Cells& cells) {
    std::vector<std::string> names;
    for (const SelfTestCell& cell : cells) {
        if (std::find(names.begin(), names.end(), cell.model) == names.end())
            names.push_back(cell.model);
    }
    return names;
}

std::string number(double value, const char* format = "%.3g") {
    char text[32];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

std::string share(int part, int whole) {
    if (whole == 0) return std::to_string(part) + " of 0";
    return std::to_string(part) + " of " + std::to_string(whole) + " (" +
           number(100.0 * part / whole, "%.1f") + "%)";
}

OrderedJson totals_json(const SelfTestTotals& totals) {
    return {{"cells", totals.cells},
            {"apart", totals.apart},
            {"judged", totals.judged()},
            {"found", totals.found},
            {"diagnosed", totals.diagnosed},
            {"cause_right", totals.cause_right},
            {"cause_alone", totals.cause_alone},
            {"cause_wrong", totals.cause_wrong},
            {"good", totals.good()}};
}

OrderedJson cell_json(const SelfTestCell& cell) {
    OrderedJson first = nullptr;
    if (cell.first) {
        first = {{"pass", cell.first->pass},
                 {"layer", cell.first->layer},
                 {"step", step_name(cell.first->step)},
                 {"tensor", cell.first->tensor}};
    }
    return {{"model", cell.model},
            {"fault", cell.fault.name},
            {"layer", cell.fault.layer},
            {"step", step_name(cell.step)},
            {"mode", cell.decode ? "decode" : "prefill"},
            {"outcome", outcome_name(cell.outcome)},
            {"first_divergence", std::move(first)},
            {"causes", cell.causes},
            {"confidence", cell.confidence},
            {"explained", cell.explained},
            {"next_best", cell.next_best},
            {"effect", cell.effect},
            {"seconds", cell.seconds}};
}

std::string place_of(const SelfTestCell& cell) {
    return cell.model + ", " + fault_text(cell.fault) + ", " + (cell.decode ? "decode" : "prefill");
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

// What was named instead of the fault, how often.
std::string others_named(const Cells& cells) {
    std::map<std::string, int> counts;
    for (const SelfTestCell& cell : cells) {
        if (!cell.causes.empty() && !cell.cause_right()) ++counts[cell.causes.front()];
    }
    std::string text;
    for (const auto& [name, count] : counts) {
        text += (text.empty() ? "" : ", ") + name;
        if (count > 1) text += " x " + std::to_string(count);
    }
    return text;
}

std::string fault_rows(const Cells& cells) {
    std::string text =
        "| fault | step | cells | apart | right place | right cause | of these alone | named "
        "instead |\n|---|---|--:|--:|--:|--:|--:|---|\n";
    for (const FaultInfo& fault : fault_catalog()) {
        const Cells own = cells_where(
            cells, [&](const SelfTestCell& cell) { return cell.fault.name == fault.name; });
        if (own.empty()) continue;
        const SelfTestTotals totals = totals_of(own);
        text += "| " + std::string(fault.name) + " | " + std::string(step_name(fault.step)) +
                " | " + std::to_string(totals.cells) + " | " + std::to_string(totals.apart) +
                " | " + std::to_string(totals.found) + " | " + std::to_string(totals.cause_right) +
                " | " + std::to_string(totals.cause_alone) + " | " + others_named(own) + " |\n";
    }
    return text;
}

std::string model_rows(const Cells& cells) {
    std::string text =
        "| model | cells | apart | right layer and step | right cause | wrong cause, high "
        "confidence |\n|---|--:|--:|--:|--:|--:|\n";
    const auto row = [&](const std::string& name, const SelfTestTotals& totals) {
        text += "| " + name + " | " + std::to_string(totals.cells) + " | " +
                share(totals.apart, totals.cells) + " | " + share(totals.found, totals.judged()) +
                " | " + share(totals.cause_right, totals.diagnosed) + " | " +
                std::to_string(totals.cause_wrong) + " |\n";
    };
    for (const std::string& model : models_of(cells)) {
        for (const bool decode : {false, true}) {
            row(model + ", " + (decode ? "decode" : "prefill"),
                totals_of(cells_where(cells, [&](const SelfTestCell& cell) {
                    return cell.model == model && cell.decode == decode;
                })));
        }
    }
    row("all", totals_of(cells));
    return text;
}

// A line for each cell that is not as it should be.
std::string failures(const Cells& cells) {
    std::string text;
    for (const SelfTestCell& cell : cells) {
        const bool misplaced = !cell.apart() && cell.outcome != SelfTestOutcome::found;
        if (misplaced) {
            text += "- " + place_of(cell) + ": " + std::string(outcome_name(cell.outcome));
            if (cell.first) {
                text += ", pass " + std::to_string(cell.first->pass) + " layer " +
                        std::to_string(cell.first->layer) + " " +
                        std::string(step_name(cell.first->step));
            }
            text += ", effect " + number(cell.effect) + " floors\n";
        } else if (!cell.causes.empty() && !cell.cause_right()) {
            text += "- " + place_of(cell) + ": named " + joined(cell.causes) + " (" +
                    cell.confidence + ", explained " + number(cell.explained) + ")\n";
        }
    }
    return text.empty() ? "none\n" : text;
}

std::string apart_rows(const Cells& cells) {
    std::string text;
    for (const SelfTestCell& cell : cells) {
        if (!cell.apart()) continue;
        text += "- " + place_of(cell) + ": ";
        text += cell.outcome == SelfTestOutcome::no_effect
                    ? "no effect on these inputs\n"
                    : "its largest effect is " + number(cell.effect) + " floors\n";
    }
    return text.empty() ? "none\n" : text;
}

}  // namespace

OrderedJson self_test_json(const SelfTestResult& result) {
    OrderedJson models = OrderedJson::object();
    for (const std::string& model : models_of(result.cells)) {
        models[model] = totals_json(totals_of(cells_where(
            result.cells, [&](const SelfTestCell& cell) { return cell.model == model; })));
    }
    OrderedJson cells = OrderedJson::array(), alarms = OrderedJson::array();
    for (const SelfTestCell& cell : result.cells) cells.push_back(cell_json(cell));
    for (const auto& alarm : result.controls.alarms)
        alarms.push_back({{"control", alarm.what}, {"said", alarm.said}});
    return {
        {"candidate", result.candidate},
        {"totals", totals_json(totals_of(result.cells))},
        {"models", std::move(models)},
        {"controls", {{"comparisons", result.controls.comparisons}, {"alarms", std::move(alarms)}}},
        {"cells", std::move(cells)},
        {"seconds", result.seconds}};
}

std::string self_test_table(const SelfTestResult& result) {
    std::string text = "Faults planted in " + result.candidate +
                       ", one at a time. Apart: its effect on these inputs is nil or under the "
                       "noise floor, truth itself with the fault in it being a match. Right cause: "
                       "the fault is named, alone or among those that these inputs can't tell "
                       "apart.\n\n";
    text += model_rows(result.cells) + "\n";
    text += "Clean controls: " + std::to_string(result.controls.comparisons) +
            " comparisons of an honest path, " + std::to_string(result.controls.alarms.size()) +
            " false alarms.\n";
    for (const auto& alarm : result.controls.alarms)
        text += "- " + alarm.what + ": " + alarm.said + "\n";
    text += "\n" + fault_rows(result.cells);
    text += "\nNot as asked:\n\n" + failures(result.cells);
    text += "\nApart:\n\n" + apart_rows(result.cells);
    return text;
}

}  // namespace lockstep
