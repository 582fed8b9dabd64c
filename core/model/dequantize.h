// SPDX-License-Identifier: GPL-3.0-or-later
// Expands what files store into floats. The f32 values are bit for bit those of the gguf Python
// package's gguf.dequantize; bf16 and f16 are those values rounded once, to nearest even.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/dtype.h"

namespace lockstep {

// `elements` consecutive elements (whole blocks) of `from`, which may be any DType but i32.
void expand_to_f32(DType from, const std::byte* data, float* out, int64_t elements);

// The same into `to`: f32, f16 or bf16. Where from == to, the bytes are copied as they are.
void expand(DType from, const std::byte* data, DType to, void* out, int64_t elements);

}  // namespace lockstep
