// SPDX-License-Identifier: GPL-3.0-or-later
// Whole rows between the floating dtypes and f32; bit for bit what dtype.h's scalars give.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"

namespace lockstep {

// to[i] = from[i] for `count` dense elements of f32, f16 or bf16.
void widen(const void* from, DType dtype, int64_t count, float* to);
// to[i] = from[i] rounded to nearest even.
void narrow(const float* from, int64_t count, DType dtype, void* to);

// values[i] = values[i] as it is after a store in `dtype`.
void round_in_place(float* values, int64_t count, DType dtype);

// One value as it is after a store in `dtype`.
inline float rounded(float value, DType dtype) {
    switch (dtype) {
        case DType::bf16:
            return float_from_bf16(bf16_from_float(value));
        case DType::f16:
            return float_from_f16(f16_from_float(value));
        default:
            return value;
    }
}

}  // namespace lockstep
