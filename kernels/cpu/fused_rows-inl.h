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

// silu(x) = x / (1 + exp(-x))
HWY_INLINE Vector silu(Vector x) {
    const F32 d;
    return hn::Div(x, hn::Add(hn::Set(d, 1.0f), hn::Exp(d, hn::Neg(x))));
}

void gate(const float* gates, const float* ups, int64_t count, void* out, DType dtype) {
    with_dtype(dtype, [&](auto* to) HWY_ATTR {
        to = static_cast<decltype(to)>(out);
        for_lanes(count, [&](int64_t i, size_t n) HWY_ATTR {
            store_lanes(hn::Mul(silu(load(gates + i)), load(ups + i)), to + i, n);
        });
    });
}

template <class T>
void rotate_rows(const Rotation& r) {
    using D = hn::CappedTag<float, rotation_group>;
    const D d;
    constexpr int64_t n = hn::MaxLanes(D());
    for (int64_t row = 0; row < r.rows; ++row) {
        const float* c = r.c + row * panel_columns;
        T* out = static_cast<T*>(r.out) + row * r.out_stride;
        T part[2][rotation_group];
        const bool whole = r.count == rotation_group;
        T* low_out = whole ? out : part[0];
        T* high_out = whole ? out + r.partner : part[1];
        for (int64_t i = 0; i < rotation_group; i += n) {
            auto low = hn::Add(hn::LoadU(d, c + i), hn::LoadU(d, r.bias + i));
            auto high = hn::Add(hn::LoadU(d, c + r.c_partner + i),
                                hn::LoadU(d, r.bias + rotation_group + i));
            if (r.cosine) {
                float angles[2][rotation_group] = {};
                const float* cosine = r.cosine + row * r.angle_stride;
                const float* sine = r.sine + row * r.angle_stride;
                if (!whole) {  // the table may end here
                    std::memcpy(angles[0], cosine, r.count * sizeof(float));
                    std::memcpy(angles[1], sine, r.count * sizeof(float));
                    cosine = angles[0];
                    sine = angles[1];
                }
                const auto cos = hn::LoadU(d, cosine + i);
                const auto sin = hn::LoadU(d, sine + i);
                const auto turned = hn::NegMulAdd(high, sin, hn::Mul(low, cos));
                high = hn::MulAdd(low, sin, hn::Mul(high, cos));
                low = turned;
            }
            store(d, low, low_out + i);
            store(d, high, high_out + i);
        }
        if (whole) continue;
        std::memcpy(out, part[0], r.count * sizeof(T));
        std::memcpy(out + r.partner, part[1], r.count * sizeof(T));
    }
}

void rotate(const Rotation& r) {
    with_dtype(r.dtype,
               [&](auto* type) HWY_ATTR { rotate_rows<std::remove_pointer_t<decltype(type)>>(r); });
}

}  // namespace lockstep::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
