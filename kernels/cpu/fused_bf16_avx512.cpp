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

LOCKSTEP_AVX512_BF16_INLINE __m512bh load(const uint16_t* p) {
    return reinterpret_cast<__m512bh>(_mm512_loadu_si512(p));
}
LOCKSTEP_AVX512_BF16_INLINE __m512bh last_of(const uint16_t* p, int64_t count) {
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
        sum = _mm512_dpbf16_ps(sum, load(a + k), load(w + k));
    }
    if (k < to) {
        sum = _mm512_dpbf16_ps(sum, last_of(a + k, to - k), last_of(w + k, to - k));
    }
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

// Rows [0, rows) x 4 columns x depth [from, to).
template <int rows>
LOCKSTEP_AVX512_BF16_INLINE void tile(const uint16_t* __restrict a, int64_t a_stride,
                                      const uint16_t* const* b, int64_t from, int64_t to,
                                      float* __restrict c, bool add) {
    const uint16_t* __restrict b0 = b[0];
    const uint16_t* __restrict b1 = b[1];
    const uint16_t* __restrict b2 = b[2];
    const uint16_t* __restrict b3 = b[3];
    __m512 sums[rows][4];
#pragma GCC unroll 6
    for (int m = 0; m < rows; ++m) {
        sums[m][0] = sums[m][1] = sums[m][2] = sums[m][3] = _mm512_setzero_ps();
    }
    int64_t k = from;
    for (; k + lanes <= to; k += lanes) {
        const __m512bh w0 = load(b0 + k), w1 = load(b1 + k), w2 = load(b2 + k), w3 = load(b3 + k);
#pragma GCC unroll 6
        for (int m = 0; m < rows; ++m) {
            const __m512bh x = load(a + m * a_stride + k);
            sums[m][0] = _mm512_dpbf16_ps(sums[m][0], x, w0);
            sums[m][1] = _mm512_dpbf16_ps(sums[m][1], x, w1);
            sums[m][2] = _mm512_dpbf16_ps(sums[m][2], x, w2);
            sums[m][3] = _mm512_dpbf16_ps(sums[m][3], x, w3);
        }
    }
    if (k < to) {
        const __m512bh w0 = last_of(b0 + k, to - k), w1 = last_of(b1 + k, to - k),
                       w2 = last_of(b2 + k, to - k), w3 = last_of(b3 + k, to - k);
#pragma GCC unroll 6
        for (int m = 0; m < rows; ++m) {
            const __m512bh x = last_of(a + m * a_stride + k, to - k);
            sums[m][0] = _mm512_dpbf16_ps(sums[m][0], x, w0);
            sums[m][1] = _mm512_dpbf16_ps(sums[m][1], x, w1);
            sums[m][2] = _mm512_dpbf16_ps(sums[m][2], x, w2);
            sums[m][3] = _mm512_dpbf16_ps(sums[m][3], x, w3);
        }
    }
#pragma GCC unroll 6
    for (int m = 0; m < rows; ++m) {
        store_sums(sums[m], c + m * panel_columns, add);
    }
}

// The same tile for Intel's cores, where vdpbf16ps takes two cycles and two FMAs take one: with the
// operands widened, two FMAs do what it does, bit for bit. It adds the product of a pair's odd
// element (exact in f32), rounds, then that of the even one, and treats subnormals as zero, as
// FlushSubnormals has FMAs do. A prefill of 512 rows went 1.4 times as fast on two Sapphire Rapids
// cores. Widened rows are blocks of 32 elements: the odd ones, then the even ones.
LOCKSTEP_AVX512_BF16 void widen_rows(const uint16_t* a, int64_t a_stride, int rows, int64_t from,
                                     int64_t to, float* wide, int64_t wide_stride) {
    for (int m = 0; m < rows; ++m) {
        float* out = wide + m * wide_stride;
        for (int64_t k = from; k < to; k += lanes, out += lanes) {
            const __m512i pairs = load_part(a + m * a_stride + k, to - k);
            _mm512_store_ps(out, odd_of(pairs));
            _mm512_store_ps(out + 16, even_of(pairs));
        }
    }
}

template <int rows>
LOCKSTEP_AVX512_BF16_INLINE void accumulate_wide(const float* __restrict a, int64_t a_stride,
                                                 const __m512i (&w)[4], __m512 (&sums)[rows][4]) {
    for (int half = 0; half < 2; ++half) {
        __m512 wide[4];
#pragma GCC unroll 4
        for (int n = 0; n < 4; ++n) wide[n] = half == 0 ? odd_of(w[n]) : even_of(w[n]);
#pragma GCC unroll 6
        for (int m = 0; m < rows; ++m) {
            const __m512 x = _mm512_load_ps(a + m * a_stride + half * 16);
#pragma GCC unroll 4
            for (int n = 0; n < 4; ++n) sums[m][n] = _mm512_fmadd_ps(x, wide[n], sums[m][n]);
        }
    }
}

// a: widened rows, from depth `from` on.
template <int rows>
LOCKSTEP_AVX512_BF16_INLINE void tile(const float* a, int64_t a_stride, const uint16_t* const* b,
                                      int64_t from, int64_t to, float* c, bool add) {
    __m512 sums[rows][4];
#pragma GCC unroll 6
    for (int m = 0; m < rows; ++m) {
        sums[m][0] = sums[m][1] = sums[m][2] = sums[m][3] = _mm512_setzero_ps();
    }
    int64_t k = from;
    for (; k + lanes <= to; k += lanes, a += lanes) {
        const __m512i w[4] = {_mm512_loadu_si512(b[0] + k), _mm512_loadu_si512(b[1] + k),
                              _mm512_loadu_si512(b[2] + k), _mm512_loadu_si512(b[3] + k)};
        accumulate_wide<rows>(a, a_stride, w, sums);
    }
    if (k < to) {
        const __m512i w[4] = {load_part(b[0] + k, to - k), load_part(b[1] + k, to - k),
                              load_part(b[2] + k, to - k), load_part(b[3] + k, to - k)};
        accumulate_wide<rows>(a, a_stride, w, sums);
    }
#pragma GCC unroll 6
    for (int m = 0; m < rows; ++m) store_sums(sums[m], c + m * panel_columns, add);
}

// Rows of bf16, or widened ones.
template <int rows, class Row>
LOCKSTEP_AVX512_BF16 void tile_of(int64_t wanted, const Row* a, int64_t a_stride,
                                  const uint16_t* const* b, int64_t from, int64_t to, float* c,
                                  bool add) {
    if constexpr (rows > 1) {
        if (wanted < rows) {
            tile_of<rows - 1>(wanted, a, a_stride, b, from, to, c, add);
            return;
        }
    }
    tile<rows>(a, a_stride, b, from, to, c, add);
}

template <class Tiles>
LOCKSTEP_AVX512_BF16_INLINE void for_tiles(const PanelProduct& p, const Tiles& tiles) {
    const int64_t part = depth_part(p.depth);
    for (int64_t from = 0; from < p.depth; from += part) {
        const int64_t to = std::min(from + part, p.depth);
        for (int64_t m = 0; m < p.rows; m += tile_rows)
            tiles(std::min<int64_t>(p.rows - m, tile_rows), m, from, to);
    }
}

LOCKSTEP_AVX512_BF16 void product(const PanelProduct& p) {
    const auto* a = static_cast<const uint16_t*>(p.a);
    const auto* b = reinterpret_cast<const uint16_t* const*>(p.b);
    if (p.rows == 1) {
        for (int64_t n = 0; n < p.columns; n += 4) lines<false>(a, b + n, p.depth, p.c + n);
        return;
    }
    for_tiles(p, [&](int64_t rows, int64_t m, int64_t from, int64_t to) {
        for (int64_t n = 0; n < p.columns; n += 4) {
            tile_of<tile_rows>(rows, a + m * p.a_stride, p.a_stride, b + n, from, to,
                               p.c + m * panel_columns + n, from > 0);
        }
    });
}

LOCKSTEP_AVX512_BF16 void product_by_fma(const PanelProduct& p) {
    const auto* a = static_cast<const uint16_t*>(p.a);
    const auto* b = reinterpret_cast<const uint16_t* const*>(p.b);
    if (p.rows == 1) {
        for (int64_t n = 0; n < p.columns; n += 4) lines<true>(a, b + n, p.depth, p.c + n);
        return;
    }
    const FlushSubnormals flush;
    alignas(64) float wide[tile_rows * most_depth_part];
    for_tiles(p, [&](int64_t rows, int64_t m, int64_t from, int64_t to) {
        const int64_t stride = (to - from + lanes - 1) / lanes * lanes;
        widen_rows(a + m * p.a_stride, p.a_stride, static_cast<int>(rows), from, to, wide, stride);
        for (int64_t n = 0; n < p.columns; n += 4) {
            tile_of<tile_rows>(rows, wide, stride, b + n, from, to, p.c + m * panel_columns + n,
                               from > 0);
        }
    });
}

}  // namespace

PanelFunction avx512_bf16_product() {
    if (!(__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vl") &&
          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")))
        return nullptr;
    return __builtin_cpu_is("intel") ? product_by_fma : product;
}

}  // namespace lockstep

#else
namespace lockstep {
PanelFunction avx512_bf16_product() {
    return nullptr;
}
}  // namespace lockstep
#endif
