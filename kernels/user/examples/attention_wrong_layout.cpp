// SPDX-License-Identifier: GPL-3.0-or-later
// An attention with a fault that a test of its own would not find, because that test would lay out
// the caches as the kernel likes them: it takes them for [G, C, D], one head after the other, and
// never looks at the strides, which say [C, G, D]. Lockstep finds it; README.md, "Your own kernel",
// has the lines.
#include <cmath>
#include <vector>

#include "lockstep_kernel.h"

int lockstep_attention(const lockstep_attention_args* args) {
    const lockstep_tensor& q = args->q;              // [T, A, D]
    const lockstep_tensor& k_cache = args->k_cache;  // [C, G, D]
    const lockstep_tensor& v_cache = args->v_cache;  // [C, G, D]
    const lockstep_tensor& attn = args->attn;        // [T, A*D]
    const int64_t heads = q.shape[1], head_dim = q.shape[2];
    const int64_t context = k_cache.shape[0], kv_heads = k_cache.shape[1];
    std::vector<float> weights;
    for (int64_t t = 0; t < q.shape[0]; ++t) {
        for (int64_t a = 0; a < heads; ++a) {
            const int64_t g = a / (heads / kv_heads);
            const int64_t seen = args->context.first_row + t + 1;
            float largest = -INFINITY, total = 0;
            weights.assign(static_cast<size_t>(seen), 0.0f);
            for (int64_t row = 0; row < seen; ++row) {
                float dot = 0;
                for (int64_t d = 0; d < head_dim; ++d) {
                    // The fault. It should be row * k_cache.stride[0] + g * k_cache.stride[1] + d,
                    // and likewise for v_cache below.
                    dot += lockstep_load(&q, t * q.stride[0] + a * q.stride[1] + d) *
                           lockstep_load(&k_cache, (g * context + row) * head_dim + d);
                }
                weights[static_cast<size_t>(row)] = args->scale * dot;
                largest = std::fmax(largest, args->scale * dot);
            }
            for (float& weight : weights) total += weight = std::exp(weight - largest);
            for (int64_t d = 0; d < head_dim; ++d) {
                float sum = 0;
                for (int64_t row = 0; row < seen; ++row) {
                    sum += weights[static_cast<size_t>(row)] / total *
                           lockstep_load(&v_cache, (g * context + row) * head_dim + d);
                }
                lockstep_store(&attn, t * attn.stride[0] + a * head_dim + d, sum);
            }
        }
    }
    return 0;
}
