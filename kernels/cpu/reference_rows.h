// SPDX-License-Identifier: GPL-3.0-or-later
// The reference's arithmetic between the matrix products, a row of f32 values at a time, each
// operation rounded to `dtype` as a tensor of that dtype would be.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"

namespace lockstep {

// LlamaRMSNorm: row * (1 / sqrt(mean of squares + eps)) in f32, rounded, times weight.
void rms_norm_row(float* row, const float* weight, int64_t count, float eps, DType dtype);

// (x * cos) + (rotate_half(x) * sin), each product rounded; cos and sin are rounded already. The
// sum is rounded by whoever stores it.
void rotate_row(float* row, const float* cosine, const float* sine, int64_t half, DType dtype);

// softmax(round(round(scores) * scale)) in f32, not rounded.
void softmax_row(float* scores, int64_t count, float scale, DType dtype);

// round(silu(gate)) * up, into gate.
void silu_row(float* gate, const float* up, int64_t count, DType dtype);

// sum += term.
void add_row(float* sum, const float* term, int64_t count);

}  // namespace lockstep
