// SPDX-License-Identifier: GPL-3.0-or-later
// The qkv step with anything in it varied. Internal to the hypotheses of qkv.
#pragma once

#include <optional>

#include "core/inspect/diagnosis_hypothesis.h"
#include "core/inspect/diagnosis_maths.h"

namespace lockstep {

struct Rope {
    std::vector<float> inv_freq;                  // empty: the model's tables
    int64_t offset = 0;                           // added to each row's position
    bool interleaved = false, backwards = false;  // pairs (2i, 2i + 1); the negative angle
    std::array<bool, 3> on{true, true, false};    // q, k, v
};

struct QkvVariation {
    Norm norm = Norm::rms;
    std::optional<double> eps;
    std::optional<int64_t> stride;  // of hidden's rows, in elements of its memory
    int64_t row_shift = 0;          // row t is computed from row t + row_shift (at the ends: t)
    bool round_normed = false;      // to the activations' dtype
    std::array<std::optional<Linear>, 3> linear;  // q, k, v
    std::optional<Rope> rope;
    double normed_scale = 1;  // of the normalised row
    bool k_v_swapped = false;
    int64_t cache_shift = 0;  // row t stands where t + cache_shift belongs

    bool changes_inputs() const {
        return norm != Norm::rms || eps || stride || row_shift != 0 || round_normed ||
               normed_scale != 1;
    }
};

// given must outlive the hypothesis. Taps are q, k, v, as the case has them.
Prediction predict_qkv(const DiagnosisCase& given, const QkvVariation& variation, const Part& part);
// Projections without a variation.
Linear qkv_linear(const QkvArgs& args, int which);

// The projections (bias added) before RoPE of all rows, as truth computes them: [q, k, v].
const std::array<Matrix, 3>& qkv_before_rope(const DiagnosisCase& given);

void add_rope_hypotheses(const DiagnosisCase& given, Hypotheses& into);  // diagnosis_rope.cpp
// Which rows of hidden a row was computed from. diagnosis_qkv_rows.cpp
void add_row_hypotheses(const DiagnosisCase& given, Hypotheses& into);

// into.push_back of a variation.
void add_qkv(const DiagnosisCase& given, Hypotheses& into, std::string cause, std::string words,
             QkvVariation variation, int freedom = 0,
             std::map<std::string, std::string> parameters = {});

}  // namespace lockstep
