// SPDX-License-Identifier: GPL-3.0-or-later
// What surrounds the products, row by row in f32: norm, residual, gate. Each rounds once, at its
// store.
#include <hwy/contrib/math/math-inl.h>

#include "kernels/cpu/fused_simd-inl.h"

#if defined(LOCKSTEP_FUSED_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_FUSED_ROWS_INL_H
#undef LOCKSTEP_FUSED_ROWS_INL_H
#else
#define LOCKSTEP_FUSED_ROWS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace lockstep::HWY_NAMESPACE {

template <class From, class To>
void rms_norm_row(const From* row, const float* weight, float eps, int64_t count, To* out) {
    const F32 d;
    Vector squares = hn::Zero(d);
    for_lanes(count, [&](int64_t i, size_t n) HWY_ATTR {
        const Vector x = load_lanes(row + i, n);
        squares = hn::MulAdd(x, x, squares);
    });
    const float mean = hn::GetLane(hn::SumOfLanes(d, squares)) / static_cast<float>(count);
    const Vector scale = hn::Set(d, 1.0f / std::sqrt(mean + eps));
    for_lanes(count, [&](int64_t i, size_t n) HWY_ATTR {
        const Vector x = hn::Mul(load_lanes(row + i, n), scale);
        store_lanes(hn::Mul(x, load_lanes(weight + i, n)), out + i, n);
    });
}

void rms_norm(const void* row, DType row_dtype, const float* weight, float eps, int64_t count,
              void* out, DType out_dtype) {
    with_dtype(row_dtype, [&](auto* from) HWY_ATTR {
        with_dtype(out_dtype, [&](auto* to) HWY_ATTR {
            rms_norm_row(static_cast<const decltype(from)>(const_cast<void*>(row)), weight, eps,
                         count, static_cast<decltype(to)>(out));
        });
    });
}

void convert(const void* from, DType from_dtype, int64_t count, void* to, DType to_dtype) {
    with_dtype(from_dtype, [&](auto* in) HWY_ATTR {
        with_dtype(to_dtype, [&](auto* out) HWY_ATTR {
            in = static_cast<decltype(in)>(const_cast<void*>(from));
            out = static_cast<decltype(out)>(to);
            for_lanes(count, [&](int64_t i, size_t n)
                                 HWY_ATTR { store_lanes(load_lanes(in + i, n), out + i, n); });
        });
    });
}

void add(const float* c, const void* residual, int64_t count, void* out, DType dtype) {
    with_dtype(dtype, [&](auto* type) HWY_ATTR {
        const auto* in = static_cast<decltype(type)>(const_cast<void*>(residual));
        auto* to = static_cast<decltype(type)>(out);
        for_lanes(count, [&](int64_t i, size_t n) HWY_ATTR {
            store_lanes(hn::Add(load_lanes(in + i, n), load_lanes(c + i, n)), to + i, n);
        });
    });
}

void gate(const float* gate_row, const float* up, int64_t count, void* out, DType dtype) {
    const F32 d;
    with_dtype(dtype, [&](auto* type) HWY_ATTR {
        auto* to = static_cast<decltype(type)>(out);
        for_lanes(count, [&](int64_t i, size_t n) HWY_ATTR {
            const Vector g = load_lanes(gate_row + i, n);
            const Vector sigmoid_inverse = hn::Add(hn::Set(d, 1.0f), hn::Exp(d, hn::Neg(g)));
            const Vector silu = hn::Div(g, sigmoid_inverse);
            store_lanes(hn::Mul(silu, load_lanes(up + i, n)), to + i, n);
        });
    });
}

}  // namespace lockstep::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
