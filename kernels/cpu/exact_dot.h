// SPDX-License-Identifier: GPL-3.0-or-later
// Inner products summed in double, in an order that is the same on every machine.
#pragma once

#include <cstdint>

namespace lockstep {

// out[r] = sum over i of w[i] * x[r * stride + i], for `rows` rows of `count` elements. w holds
// values of f32 or narrower types. The product of two floats is exact in double, so a machine with
// fused multiply-add rounds no differently from one without.
void exact_dots(const double* w, const float* x, int64_t stride, int64_t rows, int64_t count,
                double* out);

}  // namespace lockstep
