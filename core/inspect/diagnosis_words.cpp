// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/diagnosis_words.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace lockstep {

std::string share_text(double share) {
    char text[32];
    const double percent = 100 * std::clamp(share, 0.0, 1.0);
    std::snprintf(text, sizeof text, "%.2f%%", std::floor(percent * 100) / 100);
    return text;
}

OrderedJson diagnosis_json(const Diagnosis& diagnosis) {
    OrderedJson causes = OrderedJson::array();
    for (const Cause& cause : diagnosis.causes) {
        OrderedJson parameters = OrderedJson::object();
        for (const auto& [name, value] : cause.parameters) parameters[name] = value;
        causes.push_back({{"cause", cause.cause},
                          {"parameters", std::move(parameters)},
                          {"explained", cause.explained},
                          {"next_best", cause.next_best},
                          {"confidence", cause.confidence},
                          {"what", cause.what},
                          {"evidence", cause.evidence}});
    }
    return causes;
}

std::string diagnosis_sentence(const Diagnosis& diagnosis) {
    if (diagnosis.causes.empty()) return "";
    const bool ambiguous = diagnosis.causes.front().confidence == "ambiguous";
    const bool low = diagnosis.causes.front().confidence == "low";
    std::string text = diagnosis.causes.front().cause == "unknown" ? "Cause unknown: "
                       : ambiguous                                 ? "Cause, one of: "
                       : low                                       ? "Cause, perhaps two faults: "
                                                                   : "Cause: ";
    for (size_t i = 0; i < diagnosis.causes.size(); ++i) {
        const Cause& cause = diagnosis.causes[i];
        if (i > 0) text += ambiguous ? "; or " : "; and ";
        text += cause.what;
        if (cause.cause != "unknown") {
            text += " (explains " + share_text(cause.explained) + ")";
        } else if (!cause.evidence.empty() && cause.evidence != cause.what) {
            text += "; " + cause.evidence;
        }
    }
    text += ".";
    if (ambiguous && !diagnosis.would_separate.empty())
        text += " To tell them apart: " + diagnosis.would_separate + ".";
    return text;
}

}  // namespace lockstep
