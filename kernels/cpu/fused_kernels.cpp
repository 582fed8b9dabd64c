// SPDX-License-Identifier: GPL-3.0-or-later
// The table of the fused path's functions for each SIMD target that this build knows.
#include "kernels/cpu/fused_kernels.h"

#include <cmath>
#include <type_traits>

#define HWY_WANT_SSE4 1
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/fused_kernels.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// Must follow foreach_target.h.
#include <hwy/highway.h>

#include "kernels/cpu/fused_attention-inl.h"
#include "kernels/cpu/fused_product-inl.h"
#include "kernels/cpu/fused_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::HWY_NAMESPACE {

FusedKernels table() {
    FusedKernels k{};
    k.target = hwy::TargetName(HWY_TARGET);
    k.product_f32 = product<float>;
    k.product_f16 = product<hwy::float16_t>;
    k.product_bf16 = product<hwy::bfloat16_t>;
    k.rms_norm = rms_norm;
    k.convert = convert;
    k.add = add;
    k.rotate = rotate;
    k.gate = gate;
    k.attend = attend;
    k.merge = merge;
    return k;
}

}  // namespace lockstep::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep {
HWY_EXPORT(table);

const FusedKernels& fused_kernels() {
    static const FusedKernels best = [] {
        FusedKernels k = HWY_DYNAMIC_DISPATCH(table)();
        k.product_bf16_pairs = avx512_bf16_product();
        return k;
    }();
    return best;
}

}  // namespace lockstep
#endif
