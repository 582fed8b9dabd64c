// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/weights.h"

namespace lockstep {

int64_t Weights::bytes_per_token() const {
    const auto bytes = [](const Tensor& tensor) { return tensor.defined() ? tensor.bytes() : 0; };
    int64_t total = bytes(norm) + bytes(lm_head);
    if (embed_tokens.defined()) total += embed_tokens.rows(0, 1).bytes();
    for (const LayerWeights& layer : layers) {
        for (const Tensor* tensor :
             {&layer.input_layernorm, &layer.q_proj, &layer.k_proj, &layer.v_proj, &layer.q_bias,
              &layer.k_bias, &layer.v_bias, &layer.o_proj, &layer.post_attention_layernorm,
              &layer.gate_proj, &layer.up_proj, &layer.down_proj}) {
            total += bytes(*tensor);
        }
    }
    return total;
}

}  // namespace lockstep
