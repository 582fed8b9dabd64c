// SPDX-License-Identifier: GPL-3.0-or-later
// The operands of attention's two products. Queries and keys are words of four bytes, each a float,
// or the bf16 of a pair that one instruction multiplies and adds; weights and values are floats, as
// rounding the weights would be the largest error of the step. A chunk of keys and values is packed
// once for all the query rows of a unit, so that lanes run along keys (scores) and along a head's
// elements (values): no sum has to be taken across lanes.
#include "kernels/cpu/fused_simd-inl.h"

#if defined(LOCKSTEP_FUSED_WORDS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_FUSED_WORDS_INL_H
#undef LOCKSTEP_FUSED_WORDS_INL_H
#else
#define LOCKSTEP_FUSED_WORDS_INL_H
#endif

#undef LOCKSTEP_BF16_WORDS
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
#define LOCKSTEP_BF16_WORDS 1
#else
#define LOCKSTEP_BF16_WORDS 0
#endif

HWY_BEFORE_NAMESPACE();
namespace lockstep::HWY_NAMESPACE {

// e^x, of x <= 0; below 2^-126 it stays there. The remainder's polynomial is a minimax fit of
// (e^r - 1) / r on [-ln 2 / 2, ln 2 / 2]. Relative error 8e-8, evaluated in f32: of x times log2(e)
// the rounding alone would be more where keys' scores lie far apart.
HWY_INLINE Vector exp(Vector x) {
    constexpr float coefficients[]{1.0f,          0.49999994f,    0.166664302f,
                                   0.0416680016f, 0.00837415829f, 0.00138436619f};
    constexpr float log2_e = 1.44269504f, ln_2 = 0x1.62e43p-1f, ln_2_rest = -0x1.05c61p-29f;
    const F32 d;
    const hn::RebindToSigned<F32> di;
    // Adding it rounds to an integer, which then lies in the low bits, with the exponent's bias.
    const Vector shift = hn::Set(d, 0x1.8p23f + 127);
    x = hn::Max(hn::Set(d, -126 * ln_2), x);  // in this order a NaN stays one
    const Vector shifted = hn::MulAdd(x, hn::Set(d, log2_e), shift);
    const Vector power = hn::Sub(shifted, shift);
    Vector r = hn::NegMulAdd(power, hn::Set(d, ln_2), x);
    r = hn::NegMulAdd(power, hn::Set(d, ln_2_rest), r);
    constexpr int degree = sizeof(coefficients) / sizeof(float);
    Vector sum = hn::Set(d, coefficients[degree - 1]);
    for (int i = degree - 2; i >= 0; --i) sum = hn::MulAdd(sum, r, hn::Set(d, coefficients[i]));
    sum = hn::MulAdd(sum, r, hn::Set(d, 1));
    return hn::Mul(sum, hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
}

struct FloatWords {
    static constexpr int64_t per_word = 1;
    static constexpr bool sums_in_doubles = false;
    // A score is a sum of sums of so many products: added one by one, the 64 of a head's rounding
    // errors were twice those of the reference's product.
    static constexpr int64_t words_of_sum = 16;

    static HWY_INLINE Vector dot(Vector a, Vector b, Vector sum) { return hn::MulAdd(a, b, sum); }
    template <class T>
    static HWY_INLINE float word(const T* row, int64_t index, int64_t) {
        return hn::GetLane(load_part(row + index, 1));
    }
};

// Of an f32 model: where a bias makes keys' scores hundreds (Qwen2), floats' rounding of the sums
// is most of the step's error, and was 1.4 times that of the reference's.
struct ExactFloatWords : FloatWords {
    static constexpr bool sums_in_doubles = true;
};

#if HWY_TARGET != HWY_SCALAR
// Four words from word w on.
template <class T>
HWY_INLINE Four four_words(FloatWords, const T* row, int64_t w) {
    const hn::FixedTag<float, 4> d;
    if constexpr (std::is_same_v<T, float>) {
        return hn::LoadU(d, row + w);
    } else {
        return hn::PromoteTo(d, hn::LoadU(hn::Rebind<T, hn::FixedTag<float, 4>>(), row + w));
    }
}
#endif

#if LOCKSTEP_BF16_WORDS
// For CPUs with AVX512_BF16, of which Highway 1.0.3 knows nothing: hence the instruction by name.
// It rounds to nearest even and flushes subnormals.
struct Bf16Words {
    static constexpr int64_t per_word = 2;
    static constexpr bool sums_in_doubles = false;
    static constexpr int64_t words_of_sum = 1 << 30;  // the operands' own rounding is far coarser

    static HWY_INLINE Vector dot(Vector a, Vector b, Vector sum) {
        asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
        return sum;
    }
    static HWY_INLINE float word(const hwy::bfloat16_t* row, int64_t index, int64_t count) {
        float word = 0;
        std::memcpy(&word, row + 2 * index, 2 * index + 1 < count ? 4 : 2);
        return word;
    }
};

HWY_INLINE Four four_words(Bf16Words, const hwy::bfloat16_t* row, int64_t w) {
    return hn::LoadU(hn::FixedTag<float, 4>(), reinterpret_cast<const float*>(row + 2 * w));
}
#endif

#if HWY_TARGET != HWY_SCALAR
// Words w .. w + 4 of `lanes` rows; in block b of vector i, row 4 * b + i.
template <class W, class T, class D>
HWY_INLINE hn::Vec<D> blocks_of_rows(W words, D d, const T* const* rows, int64_t w) {
    if constexpr (hn::MaxLanes(D()) == 4) {
        return four_words(words, *rows, w);
    } else {
        const hn::Half<D> half;
        const auto low = blocks_of_rows(words, half, rows, w);
        return hn::Combine(d, blocks_of_rows(words, half, rows + hn::MaxLanes(half), w), low);
    }
}
// out[j][lane] = word w + j of row `lane`
template <class W, class T>
HWY_INLINE void transpose_words(const T* const* rows, int64_t w, float* out, int64_t out_stride) {
    const F32 d;
    const hn::RepartitionToWide<F32> wide;
    Vector a[4];
    for (int i = 0; i < 4; ++i) a[i] = blocks_of_rows(W(), d, rows + i, w);
    const auto low_01 = hn::BitCast(wide, hn::InterleaveLower(d, a[0], a[1]));
    const auto low_23 = hn::BitCast(wide, hn::InterleaveLower(d, a[2], a[3]));
    const auto high_01 = hn::BitCast(wide, hn::InterleaveUpper(d, a[0], a[1]));
    const auto high_23 = hn::BitCast(wide, hn::InterleaveUpper(d, a[2], a[3]));
    store(hn::BitCast(d, hn::InterleaveLower(wide, low_01, low_23)), out);
    store(hn::BitCast(d, hn::InterleaveUpper(wide, low_01, low_23)), out + out_stride);
    store(hn::BitCast(d, hn::InterleaveLower(wide, high_01, high_23)), out + 2 * out_stride);
    store(hn::BitCast(d, hn::InterleaveUpper(wide, high_01, high_23)), out + 3 * out_stride);
}
#endif

// Past the last key, the last once more: softmax never looks there.
template <class T>
HWY_INLINE void rows_of_keys(const T* first, int64_t stride, int64_t count,
                             const T* (&rows)[lanes]) {
    rows[0] = first;
    for (size_t i = 1; i < lanes; ++i) rows[i] = rows[i - 1] + (int64_t(i) < count ? stride : 0);
}

template <class W, class T>
void pack_keys(const ChunkKeys& c) {
    const auto* keys = static_cast<const T*>(c.k);
    const int64_t words = (c.head_dim + W::per_word - 1) / W::per_word;
    for (int64_t key = 0; key < c.count; key += lanes) {
        const T* rows[lanes];
        rows_of_keys(keys + key * c.k_stride, c.k_stride, c.count - key, rows);
        float* out = c.packed_k + key;
        int64_t w = 0;
#if HWY_TARGET != HWY_SCALAR
        for (; w + 4 <= c.head_dim / W::per_word; w += 4) {
            if (c.ahead) c.ahead->lines(lines_at_once);
            transpose_words<W>(rows, w, out + w * chunk_keys, chunk_keys);
        }
#endif
        for (; w < words; ++w) {
            for (size_t i = 0; i < lanes; ++i) {
                out[w * chunk_keys + i] = W::word(rows[i], w, c.head_dim);
            }
        }
    }
}

template <class T>
void pack_values(const ChunkKeys& c) {
    for (int64_t key = 0; key < c.count && c.packed_v; ++key) {
        const T* row = static_cast<const T*>(c.v) + key * c.v_stride;
        float* out = c.packed_v + key * c.padded_head_dim;
        for_lanes(c.head_dim,
                  [&](int64_t i, size_t n) HWY_ATTR { store(load_lanes(row + i, n), out + i); });
    }
}

void pack_floats(const ChunkKeys& c) {
    with_dtype(c.dtype, [&](auto* type) HWY_ATTR {
        using T = std::remove_pointer_t<decltype(type)>;
        pack_keys<FloatWords, T>(c);
        pack_values<T>(c);
    });
}
#if LOCKSTEP_BF16_WORDS
void pack_bf16(const ChunkKeys& c) {
    pack_keys<Bf16Words, hwy::bfloat16_t>(c);
    pack_values<hwy::bfloat16_t>(c);
}
#endif

}  // namespace lockstep::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
