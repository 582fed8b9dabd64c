// SPDX-License-Identifier: GPL-3.0-or-later
// Paths whose every step is right on whatever it is given, but whose runs are not: what they hand
// on from step to step is wrong.
#pragma once

#include <atomic>
#include <memory>

#include "kernels/kernel_path.h"

namespace lockstep::test {

// The first row of a layer's cached keys and values is overwritten by every step of decoding.
inline KernelPath with_overwritten_row(KernelPath base, int layer) {
    base.qkv = [honest = base.qkv, layer](const QkvArgs& args, Stream& stream) -> Status {
        LOCKSTEP_TRY(honest(args, stream));
        if (args.context.layer != layer || args.context.first_row == 0) return {};
        for (const Tensor& cache : {args.k_cache, args.v_cache}) {
            const int64_t elements = cache.shape[1] * cache.shape[2];
            for (int64_t i = 0; i < elements; ++i) {
                const float value = load_element(cache.data, cache.dtype, i);
                store_element(cache.data, cache.dtype, i, -value);
            }
        }
        return {};
    };
    return base;
}

// The residual stream after every step that adds to it: even channels larger by that share, odd
// ones smaller. Of f32 activations.
inline KernelPath with_biased_residuals(KernelPath base, float share) {
    const auto bias = [share](const Tensor& hidden) {
        for (int64_t row = 0; row < hidden.shape[0]; ++row) {
            float* const values = hidden.rows(row, 1).as<float>();
            for (int64_t i = 0; i < hidden.shape[1]; ++i)
                values[i] *= i % 2 == 0 ? 1 + share : 1 - share;
        }
    };
    base.attn_output = [honest = base.attn_output, bias](const AttnOutputArgs& args,
                                                         Stream& stream) -> Status {
        LOCKSTEP_TRY(honest(args, stream));
        bias(args.hidden_attn);
        return {};
    };
    base.down = [honest = base.down, bias](const DownArgs& args, Stream& stream) -> Status {
        LOCKSTEP_TRY(honest(args, stream));
        bias(args.hidden);
        return {};
    };
    return base;
}

// The first `calls` calls of qkv, those of the run's own prefill, rotate q for the row after.
inline KernelPath with_wrong_position(KernelPath base, int calls) {
    const auto made = std::make_shared<std::atomic<int>>(0);
    base.qkv = [honest = base.qkv, made, calls](const QkvArgs& args, Stream& stream) -> Status {
        LOCKSTEP_TRY(honest(args, stream));
        if (made->fetch_add(1) >= calls) return {};
        const int64_t half = args.rope_cos.shape[1];
        const Tensor& q = args.q;
        for (int64_t row = 0; row < q.shape[0]; ++row) {
            for (int64_t head = 0; head < q.shape[1]; ++head) {
                for (int64_t i = 0; i < half; ++i) {
                    const int64_t low = row * q.stride[0] + head * q.stride[1] + i;
                    const float cosine = args.rope_cos.rows(1, 1).as<float>()[i];
                    const float sine = args.rope_sin.rows(1, 1).as<float>()[i];
                    const float x = load_element(q.data, q.dtype, low);
                    const float y = load_element(q.data, q.dtype, low + half);
                    store_element(q.data, q.dtype, low, x * cosine - y * sine);
                    store_element(q.data, q.dtype, low + half, y * cosine + x * sine);
                }
            }
        }
        return {};
    };
    return base;
}

}  // namespace lockstep::test
