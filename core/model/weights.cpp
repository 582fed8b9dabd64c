// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/weights.h"

#include <initializer_list>

namespace lockstep {

namespace {

int64_t bytes_of(std::initializer_list<const Tensor*> tensors) {
    int64_t total = 0;
    for (const Tensor* tensor : tensors) total += tensor->defined() ? tensor->bytes() : 0;
    return total;
}

int64_t bytes_of(const LayerWeights& layer, StepId step) {
    switch (step) {
        case StepId::qkv:
            return bytes_of({&layer.input_layernorm, &layer.q_proj, &layer.k_proj, &layer.v_proj,
                             &layer.q_bias, &layer.k_bias, &layer.v_bias});
        case StepId::attn_output:
            return bytes_of({&layer.o_proj});
        case StepId::gate_up:
            return bytes_of({&layer.post_attention_layernorm, &layer.gate_proj, &layer.up_proj});
        case StepId::down:
            return bytes_of({&layer.down_proj});
        default:
            return 0;
    }
}

}  // namespace

int64_t Weights::bytes_per_token(StepId step) const {
    if (step == StepId::embed) return embed_tokens.defined() ? embed_tokens.rows(0, 1).bytes() : 0;
    if (step == StepId::logits) return bytes_of({&norm, &lm_head});
    int64_t total = 0;
    for (const LayerWeights& layer : layers) total += bytes_of(layer, step);
    return total;
}

int64_t Weights::bytes_per_token() const {
    int64_t total = 0;
    for (int step = 0; step < step_count; ++step)
        total += bytes_per_token(static_cast<StepId>(step));
    return total;
}

}  // namespace lockstep
