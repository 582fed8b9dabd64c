// SPDX-License-Identifier: GPL-3.0-or-later
// Loads that widen to f32 and stores that round from it, for each SIMD target. Included once per
// target by fused_kernels.cpp; the guard toggles.
#include <hwy/highway.h>

#include <cstring>

#if defined(LOCKSTEP_FUSED_SIMD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_FUSED_SIMD_INL_H
#undef LOCKSTEP_FUSED_SIMD_INL_H
#else
#define LOCKSTEP_FUSED_SIMD_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace lockstep::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using Vector = hn::Vec<F32>;
constexpr size_t lanes = hn::MaxLanes(F32());

// Values of lanes consecutive elements.
HWY_INLINE Vector load(const float* p) {
    return hn::LoadU(F32(), p);
}
HWY_INLINE Vector load(const hwy::float16_t* p) {
    return hn::PromoteTo(F32(), hn::LoadU(hn::Rebind<hwy::float16_t, F32>(), p));
}
HWY_INLINE Vector load(const hwy::bfloat16_t* p) {
    return hn::PromoteTo(F32(), hn::LoadU(hn::Rebind<hwy::bfloat16_t, F32>(), p));
}

// The first `count` elements, then zeros.
template <class T>
HWY_INLINE Vector load_part(const T* p, size_t count) {
    alignas(64) T padded[lanes];
    std::memset(padded, 0, sizeof(padded));
    std::memcpy(padded, p, count * sizeof(T));
    return load(padded);
}

template <class D>
HWY_INLINE void store(D d, hn::Vec<D> v, float* p) {
    hn::StoreU(v, d, p);
}
template <class D>
HWY_INLINE void store(D d, hn::Vec<D> v, hwy::float16_t* p) {
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_SSSE3
    // No instruction for it, and Highway 1.0.3's own conversion is off by more than the rounding.
    float values[hn::MaxLanes(D())];
    uint16_t bits[hn::MaxLanes(D())];
    hn::StoreU(v, d, values);
    for (size_t i = 0; i < hn::MaxLanes(d); ++i) bits[i] = f16_from_float(values[i]);
    std::memcpy(p, bits, sizeof bits);
#else
    const hn::Rebind<hwy::float16_t, D> d16;
    hn::StoreU(hn::DemoteTo(d16, v), d16, p);
#endif
}
// To nearest, ties to even; Highway 1.0.3's own conversion truncates.
template <class D>
HWY_INLINE void store(D, hn::Vec<D> v, hwy::bfloat16_t* p) {
    const hn::RebindToUnsigned<D> du;
    const hn::RebindToSigned<D> di;
    const hn::Rebind<uint16_t, D> d16;
    const auto bits = hn::BitCast(du, v);
    const auto even = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
    const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(even, hn::Set(du, 0x7fff))));
    const auto quiet = hn::Or(hn::ShiftRight<16>(bits), hn::Set(du, 0x40));
    const auto result = hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(v)), quiet, rounded);
    hn::StoreU(hn::DemoteTo(d16, hn::BitCast(di, result)), d16, reinterpret_cast<uint16_t*>(p));
}
template <class T>
HWY_INLINE void store(Vector v, T* p) {
    store(F32(), v, p);
}

template <class T>
HWY_INLINE void store_part(Vector v, T* p, size_t count) {
    alignas(64) T padded[lanes];
    store(v, padded);
    std::memcpy(p, padded, count * sizeof(T));
}

// body(i, n): lanes elements from i where n == lanes, else the last n < lanes of them.
template <class Body>
HWY_INLINE void for_lanes(int64_t count, const Body& body) {
    int64_t i = 0;
    for (; i + int64_t{lanes} <= count; i += lanes) body(i, lanes);
    if (i < count) body(i, static_cast<size_t>(count - i));
}
template <class T>
HWY_INLINE Vector load_lanes(const T* p, size_t n) {
    return n == lanes ? load(p) : load_part(p, n);
}
template <class T>
HWY_INLINE void store_lanes(Vector v, T* p, size_t n) {
    if (n == lanes) {
        store(v, p);
    } else {
        store_part(v, p, n);
    }
}

// Calls body with a null pointer of the element type that dtype stands for.
template <class Body>
HWY_INLINE void with_dtype(DType dtype, const Body& body) {
    switch (dtype) {
        case DType::f16:
            body(static_cast<hwy::float16_t*>(nullptr));
            break;
        case DType::bf16:
            body(static_cast<hwy::bfloat16_t*>(nullptr));
            break;
        default:
            body(static_cast<float*>(nullptr));
            break;
    }
}

// out[0..3] = the sums over lanes of four vectors, added to what is there where `add`.
#if HWY_TARGET == HWY_SCALAR
HWY_INLINE void store_sums(Vector a, Vector b, Vector c, Vector d, float* out, bool add) {
    const float sums[4] = {hn::GetLane(a), hn::GetLane(b), hn::GetLane(c), hn::GetLane(d)};
    for (int i = 0; i < 4; ++i) out[i] = add ? out[i] + sums[i] : sums[i];
}
#else
using Four = hn::Vec<hn::FixedTag<float, 4>>;
HWY_INLINE Four sum_blocks(Four v) {
    return v;
}
template <class V>
HWY_INLINE Four sum_blocks(V v) {
    const hn::Half<hn::DFromV<V>> half;
    return sum_blocks(hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
}
HWY_INLINE void store_sums(Vector a, Vector b, Vector c, Vector d, float* out, bool add) {
    const F32 d32;
    const hn::RepartitionToWide<F32> d64;
    // (a0+a2, b0+b2, a1+a3, b1+b3) of each block of four, and the same of c and d
    const Vector ab = hn::Add(hn::InterleaveLower(d32, a, b), hn::InterleaveUpper(d32, a, b));
    const Vector cd = hn::Add(hn::InterleaveLower(d32, c, d), hn::InterleaveUpper(d32, c, d));
    const auto ab64 = hn::BitCast(d64, ab);
    const auto cd64 = hn::BitCast(d64, cd);
    Four sum = sum_blocks(hn::Add(hn::BitCast(d32, hn::InterleaveLower(d64, ab64, cd64)),
                                  hn::BitCast(d32, hn::InterleaveUpper(d64, ab64, cd64))));
    const hn::FixedTag<float, 4> d4;
    if (add) sum = hn::Add(hn::LoadU(d4, out), sum);
    hn::StoreU(sum, d4, out);
}
#endif

}  // namespace lockstep::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
