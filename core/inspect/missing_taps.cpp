// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/missing_taps.h"

namespace lockstep {
namespace {

// "0-3, 7"
std::string ranges(const std::set<int>& numbers) {
    std::string text;
    for (auto first = numbers.begin(); first != numbers.end();) {
        auto last = first;
        for (auto next = std::next(last); next != numbers.end() && *next == *last + 1; ++next)
            last = next;
        text += (text.empty() ? "" : ", ") + std::to_string(*first);
        if (last != first) text += "-" + std::to_string(*last);
        first = std::next(last);
    }
    return text;
}

}  // namespace

void MissingTaps::add(int pass, int layer, StepId step, std::string_view tap) {
    layers_[{step, std::string(tap)}][pass].insert(layer);
}

std::vector<std::string> MissingTaps::words() const {
    std::vector<std::string> lines;
    for (const auto& [tap, passes] : layers_) {
        // Passes that lack the same layers' are told of together.
        std::map<std::set<int>, std::set<int>> by_layers;
        for (const auto& [pass, layers] : passes) by_layers[layers].insert(pass);
        for (const auto& [layers, same] : by_layers) {
            std::string line = tap.step == StepId::embed ? "embed." + tap.name : tap.name;
            if (tap.step != StepId::embed && tap.step != StepId::logits)
                line += (layers.size() == 1 ? " of layer " : " of layers ") + ranges(layers);
            lines.push_back(line + (same.size() == 1 ? " in pass " : " in passes ") + ranges(same));
        }
    }
    return lines;
}

}  // namespace lockstep
