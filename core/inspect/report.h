// SPDX-License-Identifier: GPL-3.0-or-later
// A comparison as others read it: the JSON of `lockstep compare`, and one sentence.
#pragma once

#include <string>

#include "core/base/json.h"
#include "core/inspect/comparison.h"
#include "core/inspect/diagnosis.h"

namespace lockstep {

// {model, device, dtype, prompt, tokens, candidate, reference, layers: [{layer, steps: [{step,
// taps:
// [{tensor, drift: {max, rms}, local: {max, rms, max_rel, cosine, within_1e3, ulp}, noise_floor:
// {max, rms}, diverged}]}]}], first_divergence: {layer, step, tensor, position} | null,
// input_identical (but for rounding), input: {state, max, rms} | null, planted: {fault, layer,
// step, outcome, times_floor, shows_with} | null, logits: {max_error, kl, top1_agree, top5_overlap,
// allclose_1e3}, verdict, diagnosis, missing, seconds}. Figures are the worst over prompts and
// passes; where a value is NaN or infinite in one of the two alone, the errors are null (all but
// within_1e3). prompt_texts: of the request's prompts, in order.
// planted: of a fault that was planted, as PlantedFault has it; times_floor is null where it was
// found, shows_with where nothing is known.
OrderedJson comparison_json(const Comparison& comparison,
                            const std::vector<std::string>& prompt_texts,
                            const Diagnosis* diagnosis = nullptr);

// "fused parts from reference in layer 3, qkv: k is off by 0.41 (floor 0.004). Its input is
// identical. Cause: k's bias is dropped (explains 99.99%)." Ends with planted_sentence().
std::string comparison_sentence(const Comparison& comparison, const Diagnosis* diagnosis = nullptr);

// Of a planted fault that is not seen: that it is there, why nothing is seen of it and which tokens
// would show it. Else empty.
std::string planted_sentence(const Comparison& comparison);

// The worst of all passes, figure by figure.
LogitsComparison worst_logits(const Comparison& comparison);

// "embed", "layer 3", "logits"
std::string layer_name(int layer, size_t layers_in_all);

}  // namespace lockstep
