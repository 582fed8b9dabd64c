// SPDX-License-Identifier: GPL-3.0-or-later
// The tensors of a model, under the names of transformers' weights. Views into buffers that the
// Weights own; what a name's shape is, steps.h says.
#pragma once

#include <vector>

#include "kernels/device.h"
#include "kernels/steps.h"
#include "kernels/tensor.h"

namespace lockstep {

struct LayerWeights {
    Tensor input_layernorm;           // [H]
    Tensor q_proj, k_proj, v_proj;    // [A*D, H], [G*D, H], [G*D, H]
    Tensor q_bias, k_bias, v_bias;    // [A*D], [G*D], [G*D] or undefined
    Tensor o_proj;                    // [H, A*D]
    Tensor post_attention_layernorm;  // [H]
    Tensor gate_proj, up_proj;        // [I, H]
    Tensor down_proj;                 // [H, I]
};

struct Weights {
    Tensor embed_tokens;  // [V, H]
    std::vector<LayerWeights> layers;
    Tensor norm;     // [H]
    Tensor lm_head;  // [V, H]; the same view as embed_tokens where they are tied
    std::vector<Buffer> buffers;

    // Bytes that one decode step reads: every matrix once, of the embedding one row.
    int64_t bytes_per_token() const;
    // What of it one step reads, in all layers.
    int64_t bytes_per_token(StepId step) const;
};

}  // namespace lockstep
