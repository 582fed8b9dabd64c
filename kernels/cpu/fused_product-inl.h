// SPDX-License-Identifier: GPL-3.0-or-later
// Products of f32 rows with weights of any floating dtype. Weights stay as the model keeps them, a
// row per output: lanes run along the depth, and each sum is one vector until its end. A row alone
// is bound by the weights' stream and widens them as it loads them; for several rows four columns
// at a time are widened; many are bound by FMAs, and lanes run along the columns.
#include "kernels/cpu/fused_chains-inl.h"
#include "kernels/cpu/fused_simd-inl.h"

#if defined(LOCKSTEP_FUSED_PRODUCT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_FUSED_PRODUCT_INL_H
#undef LOCKSTEP_FUSED_PRODUCT_INL_H
#else
#define LOCKSTEP_FUSED_PRODUCT_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace lockstep::HWY_NAMESPACE {

// One row of weights, depth [from, to).
template <bool in_stages, class T>
HWY_INLINE Vector line(const float* a, const T* w, int64_t from, int64_t to) {
    constexpr int64_t of_line = HWY_MAX(64 / int64_t{sizeof(T)}, int64_t{lanes});
    Vector sum = hn::Zero(F32());
    int64_t k = from;
    for (; k + of_line <= to; k += of_line) {
        const auto* here = reinterpret_cast<const char*>(w + k);
        if constexpr (in_stages) {
            fetch_stream_in_stages(here);
        } else {
            fetch_stream(here);
        }
        for (int64_t i = k; i < k + of_line; i += lanes)
            sum = hn::MulAdd(load(a + i), load(w + i), sum);
    }
    for (; k + int64_t{lanes} <= to; k += lanes) sum = hn::MulAdd(load(a + k), load(w + k), sum);
    if (k < to) {
        const auto last = static_cast<size_t>(to - k);
        sum = hn::MulAdd(load_part(a + k, last), load_part(w + k, last), sum);
    }
    return sum;
}

// One row x 4 columns, a column after the other: the weights come as one stream.
template <bool in_stages, class T>
void lines(const float* a, const T* const* b, int64_t depth, float* c) {
    const int64_t part = depth_part(depth);
    constexpr int64_t most_parts = 8;
    Vector sums[most_parts][4];
    for (int64_t first = 0; first < depth; first += most_parts * part) {
        const int64_t last = HWY_MIN(depth, first + most_parts * part);
        for (int n = 0; n < 4; ++n) {
            for (int64_t from = first, i = 0; from < last; from += part, ++i) {
                sums[i][n] = line<in_stages>(a, b[n], from, HWY_MIN(from + part, last));
            }
        }
        for (int64_t from = first, i = 0; from < last; from += part, ++i) {
            store_sums(sums[i][0], sums[i][1], sums[i][2], sums[i][3], c, from > 0);
        }
    }
}

// Four columns as floats, `lanes` elements of each in turn and zeros beyond the end: one stream,
// asked for ahead. Two Emerald Rapids cores multiplied 2 to 8 rows by f16 a quarter quicker than
// with a stream for each column, and 512 rows by 3 to 9%.
template <class T>
void pack(const T* const (&b)[4], int64_t depth, float* packed) {
    constexpr int64_t of_line = 64 / int64_t{sizeof(T)};
    for_lanes(depth, [&](int64_t k, size_t count) HWY_ATTR {
        for (int n = 0; n < 4; ++n, packed += lanes) {
            if (k % of_line == 0) fetch_stream(reinterpret_cast<const char*>(b[n] + k));
            store(load_lanes(b[n] + k, count), packed);
        }
    });
}

// n products from depth k on for each sum of a tile. A function, not a lambda: GCC inlines a lambda
// too late to keep the sums in registers, and stored all of them at every step, at half the speed.
template <int rows>
HWY_INLINE void accumulate(const float* HWY_RESTRICT a, int64_t a_stride,
                           const float* HWY_RESTRICT packed, int64_t k, size_t n,
                           Vector (&sums)[rows][4]) {
    Vector x[rows];
    for (int m = 0; m < rows; ++m) x[m] = load_lanes(a + m * a_stride + k, n);
    for (int column = 0; column < 4; ++column) {
        const Vector w = load(packed + 4 * k + column * int64_t{lanes});
        for (int m = 0; m < rows; ++m) sums[m][column] = hn::MulAdd(x[m], w, sums[m][column]);
    }
}

// Rows [0, rows) x 4 packed columns x a part of the depth.
template <int rows>
HWY_INLINE void tile(const float* HWY_RESTRICT a, int64_t a_stride,
                     const float* HWY_RESTRICT packed, int64_t depth, float* HWY_RESTRICT c,
                     bool add) {
    Vector sums[rows][4];
    for (int m = 0; m < rows; ++m) {
        for (int n = 0; n < 4; ++n) sums[m][n] = hn::Zero(F32());
    }
    int64_t k = 0;
    for (; k + int64_t{lanes} <= depth; k += lanes)
        accumulate<rows>(a, a_stride, packed, k, lanes, sums);
    if (k < depth) accumulate<rows>(a, a_stride, packed, k, static_cast<size_t>(depth - k), sums);
    for (int m = 0; m < rows; ++m) {
        store_sums(sums[m][0], sums[m][1], sums[m][2], sums[m][3], c + m * panel_columns, add);
    }
}

template <int rows>
HWY_NOINLINE void tile_of(int64_t wanted, const float* a, int64_t a_stride, const float* packed,
                          int64_t depth, float* c, bool add) {
    if constexpr (rows > 1) {
        if (wanted < rows) {
            tile_of<rows - 1>(wanted, a, a_stride, packed, depth, c, add);
            return;
        }
    }
    tile<rows>(a, a_stride, packed, depth, c, add);
}

// All rows x all columns x depth [from, from + depth).
template <class T>
void part_product(const PanelProduct& p, int64_t from, int64_t depth) {
    const auto* const a = static_cast<const float*>(p.a) + from;
    for (int64_t n = 0; n < p.columns; n += 4) {
        const T* b[4];
        for (int i = 0; i < 4; ++i) b[i] = static_cast<const T*>(p.b[n + i]) + from;
        pack(b, depth, p.room);
        for (int64_t m = 0; m < p.rows; m += tile_rows) {
            tile_of<tile_rows>(HWY_MIN(p.rows - m, tile_rows), a + m * p.a_stride, p.a_stride,
                               p.room, depth, p.c + m * panel_columns + n, from > 0);
        }
    }
}

template <class T>
void product(const PanelProduct& p) {
    if (p.rows == 1) {
        const auto* const a = static_cast<const float*>(p.a);
        const auto* const b = reinterpret_cast<const T* const*>(p.b);
        const auto of_four = fetches_in_stages() ? lines<true, T> : lines<false, T>;
        for (int64_t n = 0; n < p.columns; n += 4) of_four(a, b + n, p.depth, p.c + n);
        return;
    }
    const int64_t part = depth_part(p.depth);
    const auto of_part = p.rows >= many_rows ? part_by_chains<T> : part_product<T>;
    for (int64_t from = 0; from < p.depth; from += part)
        of_part(p, from, HWY_MIN(part, p.depth - from));
}

}  // namespace lockstep::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
