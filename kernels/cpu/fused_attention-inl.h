// SPDX-License-Identifier: GPL-3.0-or-later
// Attention over one chunk of keys, flash-attention's inner loop: scores, softmax against the
// chunk's own maximum, weighted values. Chunks begin at multiples of chunk_keys whatever the batch,
// and are merged in ascending order, so prefill and decode do the same arithmetic for a row. All
// query rows that share a key-value head go together: each key and value is loaded and widened once
// for four of them.
#include <hwy/cache_control.h>
#include <hwy/contrib/math/math-inl.h>

#include "kernels/cpu/fused_simd-inl.h"

#if defined(LOCKSTEP_FUSED_ATTENTION_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_FUSED_ATTENTION_INL_H
#undef LOCKSTEP_FUSED_ATTENTION_INL_H
#else
#define LOCKSTEP_FUSED_ATTENTION_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace lockstep::HWY_NAMESPACE {

// Query rows that share loads of keys and values, as registers allow.
constexpr int query_tile = lanes >= 16 ? 4 : 2;
constexpr int value_vectors = 4;

// scores[m][0..3] = q[m] . k[0..3] for `rows` queries and four keys.
template <int rows, class T>
HWY_INLINE void score_tile(const AttendChunk& c, int64_t query, const T* const* k, float* scores) {
    Vector sums[rows][4];
    for (int m = 0; m < rows; ++m) {
        for (int n = 0; n < 4; ++n) sums[m][n] = hn::Zero(F32());
    }
    const float* q = c.q + query * c.q_stride;
    for_lanes(c.head_dim, [&](int64_t d, size_t n) HWY_ATTR {
        const Vector k0 = load_lanes(k[0] + d, n);
        const Vector k1 = load_lanes(k[1] + d, n);
        const Vector k2 = load_lanes(k[2] + d, n);
        const Vector k3 = load_lanes(k[3] + d, n);
        for (int m = 0; m < rows; ++m) {
            const Vector x = load(q + m * c.q_stride + d);
            sums[m][0] = hn::MulAdd(x, k0, sums[m][0]);
            sums[m][1] = hn::MulAdd(x, k1, sums[m][1]);
            sums[m][2] = hn::MulAdd(x, k2, sums[m][2]);
            sums[m][3] = hn::MulAdd(x, k3, sums[m][3]);
        }
    });
    for (int m = 0; m < rows; ++m) {
        store_sums(sums[m][0], sums[m][1], sums[m][2], sums[m][3], scores + m * chunk_keys, false);
    }
}

// Asks for row `key` of a chunk that begins at p. Decode reads each key and value once, and a
// head's rows lie apart: the hardware's prefetch alone reached a third of the memory's bandwidth.
template <class T>
HWY_INLINE void prefetch_row(const void* p, int64_t key, int64_t stride, int64_t head_dim) {
    const char* row = static_cast<const char*>(p) + key * stride * int64_t{sizeof(T)};
    for (int64_t i = 0; i < head_dim * int64_t{sizeof(T)}; i += 64) hwy::Prefetch(row + i);
}

template <int rows, class T>
HWY_INLINE void score_rows(const AttendChunk& c, int64_t query) {
    const auto* keys = static_cast<const T*>(c.k);
    const int64_t count = c.visible[query + rows - 1];  // of the row that sees most
    for (int64_t key = 0; key < count; key += 4) {
        const T* k[4];  // past the last key, the last once more: softmax never looks there
        for (int64_t n = 0; n < 4; ++n) k[n] = keys + HWY_MIN(key + n, count - 1) * c.k_stride;
        for (int64_t n = 0; n < 4 && c.next_k && query == 0; ++n) {
            prefetch_row<T>(c.v, key + n, c.v_stride, c.head_dim);
        }
        score_tile<rows>(c, query, k, c.scores + query * chunk_keys + key);
    }
}

// exp(score - maximum) in place, zero beyond what the query sees.
HWY_INLINE void softmax_row(const AttendChunk& c, int64_t query) {
    const F32 d;
    float* row = c.scores + query * chunk_keys;
    const int64_t seen = c.visible[query];
    for (int64_t i = seen; i < chunk_keys; ++i) row[i] = -HUGE_VALF;
    Vector maxima = hn::Set(d, -HUGE_VALF);
    for (int64_t i = 0; i < seen; i += lanes) maxima = hn::Max(maxima, load(row + i));
    const Vector maximum = hn::MaxOfLanes(d, maxima);
    Vector sums = hn::Zero(d);
    for (int64_t i = 0; i < chunk_keys; i += lanes) {
        const Vector p = i < seen ? hn::Exp(d, hn::Sub(load(row + i), maximum)) : hn::Zero(d);
        sums = hn::Add(sums, p);
        store(p, row + i);
    }
    c.maximum[query] = hn::GetLane(maximum);
    c.sum[query] = hn::GetLane(hn::SumOfLanes(d, sums));
}

// o[rows][d .. d + vectors * lanes) = p v
template <int rows, int vectors, class T>
HWY_INLINE void value_tile(const AttendChunk& c, int64_t query, int64_t d, size_t last_lanes) {
    Vector sums[rows][vectors];
    for (int m = 0; m < rows; ++m) {
        for (int j = 0; j < vectors; ++j) sums[m][j] = hn::Zero(F32());
    }
    const auto* values = static_cast<const T*>(c.v) + d;
    const float* p = c.scores + query * chunk_keys;
    const int64_t count = c.visible[query + rows - 1];
    for (int64_t key = 0; key < count; ++key) {
        Vector v[vectors];
        const T* value = values + key * c.v_stride;
        if (c.next_k && query == 0 && d == 0)
            prefetch_row<T>(c.next_k, key, c.k_stride, c.head_dim);
        for (int j = 0; j < vectors; ++j) {
            v[j] = load_lanes(value + j * int64_t{lanes}, j + 1 < vectors ? lanes : last_lanes);
        }
        for (int m = 0; m < rows; ++m) {
            const Vector weight = hn::Set(F32(), p[m * chunk_keys + key]);
            for (int j = 0; j < vectors; ++j) sums[m][j] = hn::MulAdd(weight, v[j], sums[m][j]);
        }
    }
    for (int m = 0; m < rows; ++m) {
        float* o = c.o + (query + m) * c.q_stride + d;
        for (int j = 0; j < vectors; ++j) {
            store_lanes(sums[m][j], o + j * int64_t{lanes}, j + 1 < vectors ? lanes : last_lanes);
        }
    }
}

template <int rows, class T>
HWY_INLINE void value_rows(const AttendChunk& c, int64_t query) {
    constexpr int64_t step = value_vectors * int64_t{lanes};
    int64_t d = 0;
    for (; d + step <= c.head_dim; d += step)
        value_tile<rows, value_vectors, T>(c, query, d, lanes);
    for (; d < c.head_dim; d += lanes) {
        value_tile<rows, 1, T>(c, query, d, HWY_MIN(lanes, static_cast<size_t>(c.head_dim - d)));
    }
}

template <int rows, class T>
HWY_NOINLINE void attend_rows(const AttendChunk& c, int64_t query, int64_t wanted) {
    if constexpr (rows > 1) {
        if (wanted < rows) {
            attend_rows<rows - 1, T>(c, query, wanted);
            return;
        }
    }
    score_rows<rows, T>(c, query);
    for (int m = 0; m < rows; ++m) softmax_row(c, query + m);
    value_rows<rows, T>(c, query);
}

template <class T>
void attend_of(const AttendChunk& c) {
    // Rows that see nothing of this chunk come first: visible ascends.
    int64_t query = 0;
    while (query < c.queries && c.visible[query] == 0) ++query;
    for (; query < c.queries; query += query_tile) {
        attend_rows<query_tile, T>(c, query, HWY_MIN(c.queries - query, query_tile));
    }
}

void attend(const AttendChunk& c) {
    with_dtype(c.dtype,
               [&](auto* type) HWY_ATTR { attend_of<std::remove_pointer_t<decltype(type)>>(c); });
}

void merge(float* maximum, float* sum, float* o, float part_maximum, float part_sum,
           const float* part_o, int64_t count) {
    const float larger = *maximum > part_maximum ? *maximum : part_maximum;
    const float scale = *maximum == larger ? 1.0f : std::exp(*maximum - larger);
    const float part_scale = part_maximum == larger ? 1.0f : std::exp(part_maximum - larger);
    *maximum = larger;
    *sum = *sum * scale + part_sum * part_scale;
    const F32 d;
    for_lanes(count, [&](int64_t i, size_t n) HWY_ATTR {
        const Vector scaled = hn::Mul(load_lanes(o + i, n), hn::Set(d, scale));
        store_lanes(hn::MulAdd(load_lanes(part_o + i, n), hn::Set(d, part_scale), scaled), o + i,
                    n);
    });
}

}  // namespace lockstep::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
