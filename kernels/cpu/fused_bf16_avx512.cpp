// SPDX-License-Identifier: GPL-3.0-or-later
// The product of bf16 rows with bf16 weights by vdpbf16ps: each lane adds two products of a pair,
// in f32, twice the work of an FMA and no widening. It flushes subnormals and rounds to nearest
// even. The same tiles as fused_product-inl.h, for the instruction that Highway 1.0.3 does not
// have.
#include "kernels/cpu/fused_bf16.h"

#if LOCKSTEP_X86
#include <algorithm>

#define LOCKSTEP_AVX512_BF16 \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define LOCKSTEP_AVX512_BF16_INLINE LOCKSTEP_AVX512_BF16 inline __attribute__((always_inline))

namespace lockstep {
namespace {

constexpr int tile_rows = 6;
constexpr int64_t lanes = 32;  // of bf16

// `count` elements, or as many as a vector has, then zeros.
LOCKSTEP_AVX512_BF16_INLINE __m512bh load(const uint16_t* p, int64_t count) {
    return reinterpret_cast<__m512bh>(load_part(p, count));
}

// (a0+a2, b0+b2, a1+a3, b1+b3) of each block of four lanes
LOCKSTEP_AVX512_BF16_INLINE __m512 sum_pairs(__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
}

// The sums over lanes of four vectors.
LOCKSTEP_AVX512_BF16_INLINE __m128 sum_of_each(__m512 a, __m512 b, __m512 c, __m512 d) {
    const __m512d ab = _mm512_castps_pd(sum_pairs(a, b));
    const __m512d cd = _mm512_castps_pd(sum_pairs(c, d));
    const __m512 blocks = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)),
                                        _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)));
    const __m256 half =
        _mm256_add_ps(_mm512_castps512_ps256(blocks), _mm512_extractf32x8_ps(blocks, 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

LOCKSTEP_AVX512_BF16_INLINE void store_sums(const __m512* sums, float* out, bool add) {
    __m128 sum = sum_of_each(sums[0], sums[1], sums[2], sums[3]);
    if (add) sum = _mm_add_ps(_mm_loadu_ps(out), sum);
    _mm_storeu_ps(out, sum);
}

// One row of weights, depth [from, to).
template <bool fetches>
LOCKSTEP_AVX512_BF16_INLINE __m512 line(const uint16_t* a, const uint16_t* w, int64_t from,
                                        int64_t to) {
    __m512 sum = _mm512_setzero_ps();
    int64_t k = from;
#pragma GCC unroll 4
    for (; k + lanes <= to; k += lanes) {
        if constexpr (fetches) fetch_stream_in_stages(reinterpret_cast<const char*>(w + k));
        sum = _mm512_dpbf16_ps(sum, load(a + k, lanes), load(w + k, lanes));
    }
    if (k < to) sum = _mm512_dpbf16_ps(sum, load(a + k, to - k), load(w + k, to - k));
    return sum;
}

// One row x 4 columns, a column after the other: the weights come as one stream. Zen's own prefetch
// follows it best: two Zen 4 cores that read 67 GB/s got weights of depth 576, 1536 and 4864 at 64,
// 65 and 61 GB/s so; at 48, 51 and 44 when asked 6 kB ahead; at 24, 31 and 34 with two columns at
// once. Intel's does not. Unrolled, more of a sum's additions are in flight.
template <bool fetches>
LOCKSTEP_AVX512_BF16 void lines(const uint16_t* a, const uint16_t* const* b, int64_t depth,
                                float* c) {
    const int64_t part = depth_part(depth);
    constexpr int64_t most_parts = 8;
    __m512 sums[most_parts][4];
    for (int64_t first = 0; first < depth; first += most_parts * part) {
        const int64_t last = std::min(depth, first + most_parts * part);
        for (int n = 0; n < 4; ++n) {
            for (int64_t from = first, i = 0; from < last; from += part, ++i) {
                sums[i][n] = line<fetches>(a, b[n], from, std::min(from + part, last));
            }
        }
        for (int64_t from = first, i = 0; from < last; from += part, ++i) {
            store_sums(sums[i], c, from > 0);
        }
    }
}

// --- several rows ---

// A tile's operands are bf16, or floats: on Intel's cores, where vdpbf16ps takes two cycles and two
// FMAs take one, which do what it does, bit for bit. It adds the product of a pair's odd element
// (exact in f32), rounds, then that of the even one, and treats subnormals as zero, as
// FlushSubnormals has FMAs do. A prefill of 512 rows went 1.4 times as fast on two Sapphire Rapids
// cores. Of 32 elements come the odd ones, then the even ones.
template <class T>
constexpr int64_t vector_elements = 64 / int64_t{sizeof(T)};

LOCKSTEP_AVX512_BF16_INLINE __m512 load(const float* p, int64_t) {
    return _mm512_load_ps(p);
}
LOCKSTEP_AVX512_BF16_INLINE __m512 multiply_add(__m512bh a, __m512bh b, __m512 sum) {
    return _mm512_dpbf16_ps(sum, a, b);
}
LOCKSTEP_AVX512_BF16_INLINE __m512 multiply_add(__m512 a, __m512 b, __m512 sum) {
    return _mm512_fmadd_ps(a, b, sum);
}

// `count` elements of a tile's rows, and packed columns.
template <int rows, class T>
LOCKSTEP_AVX512_BF16_INLINE void accumulate(const T* __restrict a, int64_t a_stride,
                                            const T* __restrict packed, int64_t count,
                                            __m512 (&sums)[rows][4]) {
    constexpr int64_t n = vector_elements<T>;
    const auto w0 = load(packed, n), w1 = load(packed + n, n), w2 = load(packed + 2 * n, n),
               w3 = load(packed + 3 * n, n);
#pragma GCC unroll 6
    for (int m = 0; m < rows; ++m) {
        const auto x = load(a + m * a_stride, count);
        sums[m][0] = multiply_add(x, w0, sums[m][0]);
        sums[m][1] = multiply_add(x, w1, sums[m][1]);
        sums[m][2] = multiply_add(x, w2, sums[m][2]);
        sums[m][3] = multiply_add(x, w3, sums[m][3]);
    }
}

// Rows [0, rows) x 4 packed columns x a part of the depth.
template <int rows, class T>
LOCKSTEP_AVX512_BF16_INLINE void tile(const T* __restrict a, int64_t a_stride,
                                      const T* __restrict packed, int64_t depth,
                                      float* __restrict c, bool add) {
    constexpr int64_t n = vector_elements<T>;
    __m512 sums[rows][4];
#pragma GCC unroll 6
    for (int m = 0; m < rows; ++m) {
        sums[m][0] = sums[m][1] = sums[m][2] = sums[m][3] = _mm512_setzero_ps();
    }
    int64_t k = 0;
    for (; k + n <= depth; k += n) accumulate<rows>(a + k, a_stride, packed + 4 * k, n, sums);
    if (k < depth) accumulate<rows>(a + k, a_stride, packed + 4 * k, depth - k, sums);
#pragma GCC unroll 6
    for (int m = 0; m < rows; ++m) store_sums(sums[m], c + m * panel_columns, add);
}

template <int rows, class T>
LOCKSTEP_AVX512_BF16 void tile_of(int64_t wanted, const T* a, int64_t a_stride, const T* packed,
                                  int64_t depth, float* c, bool add) {
    if constexpr (rows > 1) {
        if (wanted < rows) {
            tile_of<rows - 1>(wanted, a, a_stride, packed, depth, c, add);
            return;
        }
    }
    tile<rows>(a, a_stride, packed, depth, c, add);
}

// All rows, of which a is the first, x 4 packed columns x a part of the depth.
template <class T>
LOCKSTEP_AVX512_BF16_INLINE void tiles(const PanelProduct& p, const T* a, int64_t a_stride,
                                       const T* packed, int64_t depth, float* c, bool add) {
    for (int64_t m = 0; m < p.rows; m += tile_rows) {
        tile_of<tile_rows>(std::min<int64_t>(p.rows - m, tile_rows), a + m * a_stride, a_stride,
                           packed, depth, c + m * panel_columns, add);
    }
}

// Depth [from, to) of four columns, a vector of each in turn and zeros beyond the end: one stream.
LOCKSTEP_AVX512_BF16 void pack(const uint16_t* const* b, int64_t from, int64_t to,
                               uint16_t* packed) {
    for (int64_t k = from; k < to; k += lanes) {
        for (int n = 0; n < 4; ++n, packed += lanes)
            _mm512_store_si512(packed, load_part(b[n] + k, to - k));
    }
}

LOCKSTEP_AVX512_BF16_INLINE void widen(__m512i pairs, float* odd, float* even) {
    _mm512_store_ps(odd, odd_of(pairs));
    _mm512_store_ps(even, even_of(pairs));
}
// The same as floats, asked for ahead: two Emerald Rapids cores multiplied 2 to 24 rows a sixth to
// two fifths quicker than with columns widened for each tile, and 512 rows 4 to 11%.
LOCKSTEP_AVX512_BF16 void pack(const uint16_t* const* b, int64_t from, int64_t to, float* packed) {
    for (int64_t k = from; k < to; k += lanes, packed += 4 * lanes) {
#pragma GCC unroll 4
        for (int n = 0; n < 4; ++n) {
            fetch_stream(reinterpret_cast<const char*>(b[n] + k));
            widen(load_part(b[n] + k, to - k), packed + n * 16, packed + (4 + n) * 16);
        }
    }
}
LOCKSTEP_AVX512_BF16 void widen_rows(const PanelProduct& p, int64_t from, int64_t to, float* wide) {
    const auto* a = static_cast<const uint16_t*>(p.a);
    for (int64_t m = 0; m < p.rows; ++m, a += p.a_stride) {
        for (int64_t k = from; k < to; k += lanes, wide += lanes)
            widen(load_part(a + k, to - k), wide, wide + 16);
    }
}

LOCKSTEP_AVX512_BF16 void part_product(const PanelProduct& p, int64_t from, int64_t to) {
    const auto* const a = static_cast<const uint16_t*>(p.a) + from;
    auto* const packed = reinterpret_cast<uint16_t*>(p.room);
    for (int64_t n = 0; n < p.columns; n += 4) {
        pack(reinterpret_cast<const uint16_t* const*>(p.b) + n, from, to, packed);
        tiles(p, a, p.a_stride, packed, to - from, p.c + n, from > 0);
    }
}
LOCKSTEP_AVX512_BF16 void part_product_by_fma(const PanelProduct& p, int64_t from, int64_t to) {
    const int64_t depth = (to - from + lanes - 1) / lanes * lanes;
    float* const packed = p.room;
    float* const wide = packed + 4 * depth;
    widen_rows(p, from, to, wide);
    for (int64_t n = 0; n < p.columns; n += 4) {
        pack(reinterpret_cast<const uint16_t* const*>(p.b) + n, from, to, packed);
        tiles(p, wide, depth, packed, depth, p.c + n, from > 0);
    }
}

template <bool by_fma>
LOCKSTEP_AVX512_BF16 void product(const PanelProduct& p) {
    if (p.rows == 1) {
        const auto* a = static_cast<const uint16_t*>(p.a);
        const auto* b = reinterpret_cast<const uint16_t* const*>(p.b);
        for (int64_t n = 0; n < p.columns; n += 4) lines<by_fma>(a, b + n, p.depth, p.c + n);
        return;
    }
    const int64_t part = depth_part(p.depth);
    for (int64_t from = 0; from < p.depth; from += part) {
        const int64_t to = std::min(from + part, p.depth);
        if constexpr (by_fma) {
            const FlushSubnormals flush;
            part_product_by_fma(p, from, to);
        } else {
            part_product(p, from, to);
        }
    }
}

}  // namespace

PanelFunction avx512_bf16_product() {
    if (!(__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vl") &&
          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")))
        return nullptr;
    return __builtin_cpu_is("intel") ? product<true> : product<false>;
}

}  // namespace lockstep

#else
namespace lockstep {
PanelFunction avx512_bf16_product() {
    return nullptr;
}
}  // namespace lockstep
#endif
