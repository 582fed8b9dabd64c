// SPDX-License-Identifier: GPL-3.0-or-later
// Products of many f32 rows with weights of any floating dtype: lanes run along the columns, so
// that a sum ends in its place and a row is read once for a panel of columns. The bits are those of
// fused_product-inl.h's sums, whose lanes run along the depth: what one of those lanes adds up,
// each lanes-th product, is a chain here, and chains are added in the order that store_sums adds
// lanes.
#include "kernels/cpu/fused_simd-inl.h"
#include "kernels/cpu/fused_words-inl.h"

#if defined(LOCKSTEP_FUSED_CHAINS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_FUSED_CHAINS_INL_H
#undef LOCKSTEP_FUSED_CHAINS_INL_H
#else
#define LOCKSTEP_FUSED_CHAINS_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace lockstep::HWY_NAMESPACE {

// 24 sums, 6 rows and a weight fit AVX-512's 32 registers; 12, 3 and 1 the 16 of older ones.
constexpr int tile_rows = lanes >= 16 ? 6 : 3;

// Chains in an order in which each next pair, pair of pairs and so on is complete.
constexpr int chain_at(int place) {
    if (lanes == 1) return 0;
    int chain = 2 * (place & 1) + (place >> 1 & 1);
    for (int bit = 4, weight = int{lanes} / 2; bit < int{lanes}; bit *= 2, weight /= 2)
        chain += place & bit ? weight : 0;
    return chain;
}
constexpr int chain_levels = lanes >= 16 ? 4 : lanes >= 8 ? 3 : lanes >= 4 ? 2 : 0;

// Products of a chain.
constexpr int64_t chain_length(int64_t depth, int chain) {
    return (depth - chain + int64_t{lanes} - 1) / int64_t{lanes};
}

// sums += the products of one chain. `ahead` is a row to be asked for on the way.
template <int rows, int vectors>
HWY_INLINE void add_chain(const float* HWY_RESTRICT a, int64_t a_stride,
                          const float* HWY_RESTRICT packed, int64_t length, const float* ahead,
                          Vector (&sums)[rows][vectors]) {
    for (int64_t i = 0; i < length; ++i) {
        fetch_line(reinterpret_cast<const char*>(ahead + i * int64_t{lanes}));
        Vector w[vectors];
#pragma GCC unroll 4
        for (int n = 0; n < vectors; ++n) w[n] = load(packed + n * int64_t{lanes});
#pragma GCC unroll 12
        for (int m = 0; m < rows; ++m) {
            const Vector x = hn::Set(F32(), a[m * a_stride]);
#pragma GCC unroll 4
            for (int n = 0; n < vectors; ++n) sums[m][n] = hn::MulAdd(x, w[n], sums[m][n]);
        }
        a += lanes;
        packed += vectors * int64_t{lanes};
    }
}

// Weights of some vectors of columns, a chain after the other, each in the order of the depth.
struct PackedChains {
    float* first;
    int64_t stride;  // from a chain to the next, a vector more than it needs: off a power of two
};

// Rows [0, rows) x vectors of columns x a part of the depth. Other rows are behind them, or may be
// asked for as any memory may.
template <int rows, int vectors>
HWY_INLINE void chain_tile(const float* a, int64_t a_stride, const PackedChains& packed,
                           int64_t depth, float* c, bool add) {
    Vector complete[chain_levels + 1][rows][vectors];  // sums of 1, 2, 4, .. chains
    for (int place = 0; place < int{lanes}; ++place) {
        Vector sums[rows][vectors];
#pragma GCC unroll 12
        for (int m = 0; m < rows; ++m) {
#pragma GCC unroll 4
            for (int n = 0; n < vectors; ++n) sums[m][n] = hn::Zero(F32());
        }
        const int chain = chain_at(place);
        add_chain(a + chain, a_stride, packed.first + chain * packed.stride,
                  chain_length(depth, chain), a + (place < rows ? rows + place : 0) * a_stride,
                  sums);
        int level = 0;
        for (; place >> level & 1; ++level) {
#pragma GCC unroll 12
            for (int m = 0; m < rows; ++m) {
#pragma GCC unroll 4
                for (int n = 0; n < vectors; ++n)
                    sums[m][n] = hn::Add(complete[level][m][n], sums[m][n]);
            }
        }
#pragma GCC unroll 12
        for (int m = 0; m < rows; ++m) {
#pragma GCC unroll 4
            for (int n = 0; n < vectors; ++n) complete[level][m][n] = sums[m][n];
        }
    }
    for (int m = 0; m < rows; ++m, c += panel_columns) {
        for (int n = 0; n < vectors; ++n) {
            const Vector sum = complete[chain_levels][m][n];
            float* const out = c + n * int64_t{lanes};
            store(add ? hn::Add(load(out), sum) : sum, out);
        }
    }
}

template <int rows, int vectors>
HWY_NOINLINE void chain_tile_of(int64_t wanted, const float* a, int64_t a_stride,
                                const PackedChains& packed, int64_t depth, float* c, bool add) {
    if constexpr (rows > 1) {
        if (wanted < rows) {
            chain_tile_of<rows - 1, vectors>(wanted, a, a_stride, packed, depth, c, add);
            return;
        }
    }
    chain_tile<rows, vectors>(a, a_stride, packed, depth, c, add);
}

// Elements [from, from + depth) of `lanes` columns, as one of the vectors of `packed`. The columns
// that follow in memory are asked for on the way: most often they are the next.
template <int vectors, class T>
void pack_chains(const T* const* columns, int64_t from, int64_t depth, const PackedChains& packed) {
    const auto place = [&](int64_t k) {
        return packed.first + k % int64_t{lanes} * packed.stride +
               k / int64_t{lanes} * vectors * int64_t{lanes};
    };
    int64_t k = 0;
#if HWY_TARGET != HWY_SCALAR
    constexpr int64_t of_line = 64 / int64_t{sizeof(T)};
    const int64_t next =
        (reinterpret_cast<const char*>(columns[1]) - reinterpret_cast<const char*>(columns[0])) *
        int64_t{lanes};
    for (; k + 4 <= depth; k += 4) {
        for (size_t i = 0; i < lanes && k % of_line == 0; ++i)
            fetch_line(reinterpret_cast<const char*>(columns[i] + from + k) + next);
        transpose_words<FloatWords>(columns, from + k, place(k), packed.stride);
    }
#endif
    for (; k < depth; ++k) {
        for (size_t i = 0; i < lanes; ++i)
            place(k)[i] = FloatWords::word(columns[i], from + k, from + depth);
    }
}

// All rows x `vectors` vectors of columns from n on, as far as they are there.
template <int vectors, class T>
void chain_columns(const PanelProduct& p, int64_t n, int64_t from, int64_t depth) {
    // Where columns are few, more rows: a sum's next addition waits for its last one.
    constexpr int rows = HWY_MIN(4 / vectors, 2) * tile_rows;
    const PackedChains packed{p.room, (chain_length(depth, 0) * vectors + 1) * int64_t{lanes}};
    for (int64_t v = 0; v < vectors * int64_t{lanes}; v += lanes) {
        const T* columns[lanes];
        for (int64_t i = 0; i < int64_t{lanes}; ++i)
            columns[i] = static_cast<const T*>(p.b[n + v + i < p.columns ? n + v + i : n]);
        pack_chains<vectors>(columns, from, depth, {packed.first + v, packed.stride});
    }
    const auto* const a = static_cast<const float*>(p.a) + from;
    for (int64_t m = 0; m < p.rows; m += rows) {
        chain_tile_of<rows, vectors>(HWY_MIN(p.rows - m, rows), a + m * p.a_stride, p.a_stride,
                                     packed, depth, p.c + m * panel_columns + n, from > 0);
    }
}

// All rows x all columns x depth [from, from + depth).
template <class T>
void part_by_chains(const PanelProduct& p, int64_t from, int64_t depth) {
    constexpr int64_t width = lanes;
    for (int64_t n = 0; n < p.columns;) {
        const int64_t left = p.columns - n;
        if (left > 3 * width) {
            chain_columns<4, T>(p, n, from, depth);
            n += 4 * width;
        } else if (left > width) {
            chain_columns<2, T>(p, n, from, depth);
            n += 2 * width;
        } else {
            chain_columns<1, T>(p, n, from, depth);
            n += width;
        }
    }
}

}  // namespace lockstep::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
