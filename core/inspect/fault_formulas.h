// SPDX-License-Identifier: GPL-3.0-or-later
// Pieces of a step in plain loops on the host, for faults that lie inside what a path's step does
// at once. Values f32, sums double where a fault does not ask for less.
#pragma once

#include "core/inspect/fault_call.h"

namespace lockstep {

enum class FaultyNorm {
    missing,             // x
    layer_norm,          // (x - mean) / sqrt(variance + eps) * weight
    eps_outside_root,    // x / (sqrt(mean of squares) + eps) * weight
    cast_before_weight,  // fp8(x / sqrt(mean of squares + eps)) * weight
    none,                // as it should be
};
// x [T, H], weight [1, H] (one row).
HostTensor faulty_norm(const HostTensor& x, const HostTensor& weight, double eps, FaultyNorm how);

enum class FaultySum {
    none,                   // in double
    bf16_each_product,      // rounded to nearest bf16 after every product
    bf16_towards_zero_of_8  // cast to bf16 towards zero after every 8 inputs
};
// x [T, K] times weight [N, K], transposed: [T, N].
HostTensor faulty_product(const HostTensor& x, const HostTensor& weight, FaultySum how);

// Nearest E4M3 value (ties to even, saturating at 448).
float fp8_e4m3(float value);
float bf16_towards_zero(float value);

// Rotates the heads (`head_dim` columns each) of x by the angles of row t of cos and sin; pairs are
// (i, i + D/2), interleaved (2i, 2i + 1).
void rotate_heads(HostTensor& x, int64_t head_dim, const HostTensor& cos, const HostTensor& sin,
                  bool interleaved);

}  // namespace lockstep
