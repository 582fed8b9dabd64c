// SPDX-License-Identifier: GPL-3.0-or-later
// Attention over one chunk of keys, flash-attention's inner loop: scores, softmax against the
// chunk's own maximum, weighted values, folded into what earlier chunks gave. Chunks begin at
// multiples of chunk_keys whatever the batch, and are folded in ascending order, so prefill and
// decode do the same arithmetic for a row. All query rows that share a key-value head go together.
#include "kernels/cpu/fused_words-inl.h"

#if defined(LOCKSTEP_FUSED_ATTENTION_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_FUSED_ATTENTION_INL_H
#undef LOCKSTEP_FUSED_ATTENTION_INL_H
#else
#define LOCKSTEP_FUSED_ATTENTION_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace lockstep::HWY_NAMESPACE {

// A tile of 6 query rows x 4 vectors fills AVX-512's 32 registers with a vector row and a
// broadcast, 3 x 4 the 16 of older ones.
constexpr int query_tile = lanes >= 16 ? 6 : 3;
constexpr int tile_vectors = 4;

template <int rows, int vectors>
HWY_INLINE void zero(Vector (&sums)[rows][vectors]) {
    for (int m = 0; m < rows; ++m) {
        for (int j = 0; j < vectors; ++j) sums[m][j] = hn::Zero(F32());
    }
}

// sums[m][j] += sum over i < count of a[m][i] * b[i][j * lanes ..]
template <class W, int rows, int vectors, class T>
HWY_INLINE void multiply(const float* HWY_RESTRICT a, int64_t a_stride, const T* HWY_RESTRICT b,
                         int64_t b_stride, int64_t count, Vector (&sums)[rows][vectors],
                         ReadAhead* ahead) {
    for (int64_t i = 0; i < count; ++i, b += b_stride) {
        if (ahead) ahead->lines(lines_at_once);
        Vector y[vectors];
        for (int j = 0; j < vectors; ++j) y[j] = load(b + j * int64_t{lanes});
        for (int m = 0; m < rows; ++m) {
            const Vector x = hn::Set(F32(), a[m * a_stride + i]);
            for (int j = 0; j < vectors; ++j) sums[m][j] = W::dot(x, y[j], sums[m][j]);
        }
    }
}

// scores[m][0 ..] of `vectors` vectors of keys, keys[word][chunk_keys]; a key is widened once for
// all rows.
template <int rows, int vectors>
HWY_INLINE void exact_scores(const float* HWY_RESTRICT q, int64_t words,
                             const float* HWY_RESTRICT keys, float* HWY_RESTRICT scores,
                             ReadAhead* ahead) {
    const hn::ScalableTag<double> d;
    const hn::Rebind<float, hn::ScalableTag<double>> d32;
    constexpr int n = hn::MaxLanes(hn::ScalableTag<double>());
    constexpr int parts = vectors * int{lanes} / n;
    using Doubles = hn::Vec<hn::ScalableTag<double>>;
    Doubles sums[rows][parts];
    for (int m = 0; m < rows; ++m) {
        for (int j = 0; j < parts; ++j) sums[m][j] = hn::Zero(d);
    }
    for (int64_t w = 0; w < words; ++w, keys += chunk_keys) {
        if (ahead) ahead->lines(lines_at_once);
        Doubles y[parts];
        for (int j = 0; j < parts; ++j) y[j] = hn::PromoteTo(d, hn::LoadU(d32, keys + j * n));
        for (int m = 0; m < rows; ++m) {
            const auto x = hn::Set(d, static_cast<double>(q[m * words + w]));
            for (int j = 0; j < parts; ++j) sums[m][j] = hn::MulAdd(x, y[j], sums[m][j]);
        }
    }
    for (int m = 0; m < rows; ++m) {
        for (int j = 0; j < parts; ++j)
            hn::StoreU(hn::DemoteTo(d32, sums[m][j]), d32, scores + m * chunk_keys + j * n);
    }
}

// scores[m][key ..] of `vectors` vectors of keys, not yet scaled.
template <class W, int rows, int vectors>
HWY_INLINE void score_tile(const AttendChunk& c, int64_t query, int64_t key, float* scores) {
    const int64_t words = (c.head_dim + W::per_word - 1) / W::per_word;
    if constexpr (W::sums_in_doubles) {
        constexpr int at_once = HWY_MIN(vectors, 2);  // doubles take twice a float's registers
        for (int64_t part = key; part < key + vectors * int64_t{lanes}; part += at_once * lanes) {
            exact_scores<rows, at_once>(c.q + query * words, words, c.packed_k + part,
                                        scores + part, c.ahead);
        }
        return;
    }
    for (int64_t from = 0; from < words; from += W::words_of_sum) {
        Vector sums[rows][vectors];
        zero(sums);
        multiply<W>(c.q + query * words + from, words, c.packed_k + from * chunk_keys + key,
                    chunk_keys, HWY_MIN(W::words_of_sum, words - from), sums, c.ahead);
        for (int m = 0; m < rows; ++m) {
            for (int j = 0; j < vectors; ++j) {
                float* score = scores + m * chunk_keys + key + j * int64_t{lanes};
                store(from > 0 ? hn::Add(load(score), sums[m][j]) : sums[m][j], score);
            }
        }
    }
}

template <class W, int rows>
HWY_INLINE void score_rows(const AttendChunk& c, int64_t query, int64_t count, float* scores) {
    constexpr int64_t step = tile_vectors * int64_t{lanes};
    int64_t key = 0;
    for (; key + step <= count; key += step)
        score_tile<W, rows, tile_vectors>(c, query, key, scores);
    for (; key < count; key += lanes) score_tile<W, rows, 1>(c, query, key, scores);
}

// Of a row's scores, the first `seen` of `count`: their weights e^(scale * score - maximum) in
// their place, zero beyond, and the weights' sum.
HWY_INLINE void softmax_row(float* row, float scale, int64_t seen, int64_t count, float& maximum,
                            float& weight_sum) {
    const F32 d;
    const int64_t full = seen / int64_t{lanes} * int64_t{lanes};
    const auto last = hn::FirstN(d, static_cast<size_t>(seen - full));
    Vector maxima = hn::Set(d, -HUGE_VALF);
    for (int64_t i = 0; i < full; i += lanes) maxima = hn::Max(maxima, load(row + i));
    if (full < seen) maxima = hn::Max(maxima, hn::IfThenElse(last, load(row + full), maxima));
    const Vector factor = hn::Set(d, scale);
    const Vector largest = hn::Mul(hn::MaxOfLanes(d, maxima), factor);
    Vector sums = hn::Zero(d);
    for (int64_t i = 0; i < count; i += lanes) {
        Vector weights = hn::Zero(d);
        if (i < seen) weights = exp(hn::MulSub(load(row + i), factor, largest));
        if (i == full) weights = hn::IfThenElseZero(last, weights);
        sums = hn::Add(sums, weights);
        store(weights, row + i);
    }
    maximum = hn::GetLane(largest);
    weight_sum = hn::GetLane(hn::SumOfLanes(d, sums));
}

// How queries [query, query + count) of a partial softmax and a further part of theirs come
// together: their factors, and the new maximum and sum.
struct FoldFactors {
    float old[partial_padding], part[partial_padding];
};
HWY_INLINE void fold_sums(const PartialSoftmax& to, int64_t query, int64_t count,
                          const float* part_maximum, const float* part_sum, FoldFactors& factors) {
    const F32 d;
    for (int64_t i = 0; i < count; i += lanes) {
        float* maximum = to.maximum + query + i;
        float* sum = to.sum + query + i;
        const Vector before = load(maximum), part = load(part_maximum + i);
        const Vector larger = hn::Max(before, part);
        const Vector old_factor = exp(hn::Sub(before, larger));
        const Vector part_factor = exp(hn::Sub(part, larger));
        store(old_factor, factors.old + i);
        store(part_factor, factors.part + i);
        const Vector folded =
            hn::MulAdd(load(part_sum + i), part_factor, hn::Mul(load(sum), old_factor));
        const auto ours = hn::FirstN(d, static_cast<size_t>(HWY_MIN(count - i, int64_t{lanes})));
        store(hn::IfThenElse(ours, larger, before), maximum);
        store(hn::IfThenElse(ours, folded, load(sum)), sum);
    }
}
HWY_INLINE void fold_values(Vector part, float part_factor, float old_factor, float* o) {
    const F32 d;
    const Vector old = hn::Mul(load(o), hn::Set(d, old_factor));
    store(hn::MulAdd(part, hn::Set(d, part_factor), old), o);
}

// o[m][d ..] of `vectors` vectors of a head's elements.
template <int rows, int vectors, class T>
HWY_INLINE void value_tile(const AttendChunk& c, const T* v, int64_t query, int64_t d, int64_t keys,
                           const float* weights, const FoldFactors& factors) {
    Vector sums[rows][vectors];
    zero(sums);
    multiply<FloatWords>(weights, chunk_keys, v + d, c.v_stride, keys, sums, c.ahead);
    for (int m = 0; m < rows; ++m) {
        float* o = c.out.o + (query + m) * c.padded_head_dim + d;
        for (int j = 0; j < vectors; ++j)
            fold_values(sums[m][j], factors.part[m], factors.old[m], o + j * int64_t{lanes});
    }
}

template <int rows, class T>
HWY_INLINE void value_rows(const AttendChunk& c, const T* v, int64_t query, int64_t keys,
                           const float* weights, const FoldFactors& factors) {
    constexpr int64_t step = tile_vectors * int64_t{lanes};
    const int64_t padded = (c.head_dim + int64_t{lanes} - 1) / int64_t{lanes} * int64_t{lanes};
    int64_t d = 0;
    for (; d + step <= padded; d += step)
        value_tile<rows, tile_vectors>(c, v, query, d, keys, weights, factors);
    for (; d < c.head_dim; d += lanes) value_tile<rows, 1>(c, v, query, d, keys, weights, factors);
}

template <int rows>
HWY_NOINLINE void attend_values(const AttendChunk& c, int64_t query, int64_t keys,
                                const float* weights, const FoldFactors& factors) {
    with_dtype(c.v_dtype, [&](auto* v) HWY_ATTR {
        v = static_cast<decltype(v)>(const_cast<void*>(c.v));
        value_rows<rows>(c, v, query, keys, weights, factors);
    });
}

template <class W, int rows>
HWY_NOINLINE void attend_rows(const AttendChunk& c, int64_t query, int64_t wanted) {
    if constexpr (rows > 1) {
        if (wanted < rows) {
            attend_rows<W, rows - 1>(c, query, wanted);
            return;
        }
    }
    alignas(64) float scores[rows * chunk_keys];
    float maximum[partial_padding] = {}, sum[partial_padding] = {};
    const int64_t count = c.visible[query + rows - 1];  // of the row that sees most
    score_rows<W, rows>(c, query, count, scores);
    for (int m = 0; m < rows; ++m) {
        softmax_row(scores + m * chunk_keys, c.scale, c.visible[query + m], count, maximum[m],
                    sum[m]);
    }
    FoldFactors factors;
    fold_sums(c.out, query, rows, maximum, sum, factors);
    attend_values<rows>(c, query, count, scores, factors);
}

template <class W>
void attend(const AttendChunk& c) {
    // Rows that see nothing of this chunk come first: visible ascends.
    int64_t query = 0;
    while (query < c.queries && c.visible[query] == 0) ++query;
    for (; query < c.queries; query += query_tile)
        attend_rows<W, query_tile>(c, query, HWY_MIN(c.queries - query, query_tile));
}

void fold(const PartialSoftmax& to, const PartialSoftmax& part, int64_t from, int64_t queries,
          int64_t padded_head_dim) {
    constexpr int64_t most = partial_padding;
    for (int64_t query = from; query < queries; query += most) {
        const int64_t count = HWY_MIN(most, queries - query);
        FoldFactors factors;
        fold_sums(to, query, count, part.maximum + query, part.sum + query, factors);
        for (int64_t i = 0; i < count * padded_head_dim; i += lanes) {
            const int64_t m = i / padded_head_dim;
            const int64_t at = query * padded_head_dim + i;
            fold_values(load(part.o + at), factors.part[m], factors.old[m], to.o + at);
        }
    }
}

void divide(const float* o, float sum, int64_t count, void* out, DType dtype) {
    with_dtype(dtype, [&](auto* to) HWY_ATTR {
        to = static_cast<decltype(to)>(out);
        for_lanes(count, [&](int64_t i, size_t n) HWY_ATTR {
            store_lanes(hn::Div(load(o + i), hn::Set(F32(), sum)), to + i, n);
        });
    });
}

}  // namespace lockstep::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
