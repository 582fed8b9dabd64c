// SPDX-License-Identifier: GPL-3.0-or-later
// The table of the fused path's functions for each SIMD target that this build knows.
#include "kernels/cpu/fused_kernels.h"

#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>
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
    k.attention = {FloatWords::per_word, pack_floats, attend<FloatWords>};
    k.attention_f32 = {FloatWords::per_word, pack_floats, attend<ExactFloatWords>};
#if LOCKSTEP_BF16_WORDS
    k.attention_bf16_pairs = {Bf16Words::per_word, pack_bf16, attend<Bf16Words>};
#endif
    k.fold = fold;
    k.divide = divide;
    return k;
}

}  // namespace lockstep::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep {
namespace {
HWY_EXPORT(table);

// Leaves Highway the named target and those below it; better ones have lower bits. False where this
// build or CPU does not know the name.
bool limit_targets(const std::string& name) {
    for (int64_t target = 1; target > 0 && target <= HWY_SCALAR; target *= 2) {
        if ((hwy::SupportedTargets() & target) == 0 || name != hwy::TargetName(target)) continue;
        hwy::DisableTargets(target - 1);
        return true;
    }
    return false;
}
}  // namespace

const FusedKernels& fused_kernels() {
    static const FusedKernels best = [] {
        const char* limit = std::getenv("LOCKSTEP_SIMD");
        const bool without_amx = limit && std::string_view(limit) == "AVX512_BF16";
        const bool without_pairs = limit && limit_targets(limit);
        FusedKernels k = HWY_DYNAMIC_DISPATCH(table)();
        const auto multiply_pairs_by = [&](const char* target, PanelFunction product) {
            if (without_pairs || k.product_bf16_pairs || !product) return;
            k.target = target;
            k.product_bf16_pairs = product;
        };
        if (!without_amx) multiply_pairs_by("AMX_BF16", amx_bf16_product());
        multiply_pairs_by("AVX512_BF16", avx512_bf16_product());
        if (!k.product_bf16_pairs) k.attention_bf16_pairs = {};
        return k;
    }();
    return best;
}

}  // namespace lockstep
#endif
