// SPDX-License-Identifier: GPL-3.0-or-later
// A hypothesis: what the step's outputs would be with one fault in its mathematics. Each step has a
// list of them, made from its inputs and, where a number is to be found, from the candidate's
// outputs. Internal to diagnose().
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/inspect/diagnosis_case.h"

namespace lockstep {

struct Hypothesis {
    // A name of the catalogue. Empty: a fault that has none there; it competes, so that a name is
    // not given to what it fits better, and is told of in words.
    std::string cause;
    std::map<std::string, std::string> parameters;
    std::string words;  // "k's bias is dropped", "v is not that of this layer but of layer 4"
    // 0: just as the catalogue has it; 1: of few choices (a row's offset, another layer); 2: a
    // number was fitted to the candidate's outputs.
    int freedom = 0;
    std::function<Prediction(const Part&)> predict;
    // Causes that are one number's: of them a fitted number is not named where the catalogue's
    // does. Empty: those of the same name.
    std::string family = {};
    // Of what happens to an output after it was computed: the same after another fault, its number
    // fitted anew. Its cause, parameters and words are those of the second fault alone. Else null.
    std::function<Hypothesis(const Hypothesis& first)> after = nullptr;
};
inline const std::string& family_of(const Hypothesis& hypothesis) {
    return hypothesis.family.empty() ? hypothesis.cause : hypothesis.family;
}
using Hypotheses = std::vector<Hypothesis>;

Hypotheses embed_hypotheses(const DiagnosisCase& given);        // diagnosis_ends.cpp
Hypotheses qkv_hypotheses(const DiagnosisCase& given);          // diagnosis_qkv.cpp
Hypotheses attention_hypotheses(const DiagnosisCase& given);    // diagnosis_attention.cpp
Hypotheses attn_output_hypotheses(const DiagnosisCase& given);  // diagnosis_residual.cpp
Hypotheses gate_up_hypotheses(const DiagnosisCase& given);      // diagnosis_gate_up.cpp
Hypotheses down_hypotheses(const DiagnosisCase& given);         // diagnosis_residual.cpp
Hypotheses logits_hypotheses(const DiagnosisCase& given);       // diagnosis_ends.cpp

// truth over the part, [part.rows, part.columns].
std::vector<double> truth_of(const TapValues& tap, const Part& part);

// What happens to an output after it was computed: for any tap. diagnosis_output.cpp
// The name that the catalogue has for it at this tap, "" for none.
struct OutputNames {
    std::string_view tail_columns, tail_rows, scaled;
    double scale = 1;  // the catalogue's
};
void add_output_hypotheses(const DiagnosisCase& given, std::string_view tap,
                           const OutputNames& names, Hypotheses& into);

// Least squares factor of candidate = factor * expected over the part's finite elements, each
// weighed by its noise. expected: [part.rows, part.columns].
double fitted_scale(const DiagnosisCase& given, const TapValues& tap, const Part& part,
                    const std::vector<double>& expected);

std::string number_text(double value);  // four digits

}  // namespace lockstep
