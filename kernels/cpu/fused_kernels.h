// SPDX-License-Identifier: GPL-3.0-or-later
// The arithmetic under the fused path, one table of functions per instruction set. fused*.cpp
// decide who computes what; these compute it. A result depends on its own row and weights only,
// never on the rows, columns or threads beside it: each sum has one order, whatever the tile it
// lies in. So a token decoded alone has the same bits as in a prefill, and any thread count gives
// the same bits.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/read_ahead.h"
#include "kernels/dtype.h"

namespace lockstep {

// Columns of one product are computed in panels, and within it in groups that an epilogue treats as
// one: a rotation needs both halves of a head, an activation gate and up.
inline constexpr int panel_columns = 64;
// Rows of which a panel is computed before its epilogue: its sums stay in the second-level cache.
// Four columns of pairs pass by all of their rows, which have to stay there too; floats' columns
// are packed for a panel's rows, and each row is read once.
inline constexpr int64_t panel_rows_of_pairs = 192;
inline constexpr int64_t panel_rows_of_floats = 516;
// From so many rows on it pays to pack floats' columns: with 48 rows f32 was as fast by either way
// on two Emerald Rapids cores and f16 a tenth slower; with 512 f32 is 3 to 20% quicker.
inline constexpr int64_t many_rows = 96;
inline constexpr int plain_group = 4;     // columns that need no others
inline constexpr int rotation_group = 8;  // pairs: so many columns, then their partners
inline constexpr int gate_group = 8;      // columns of gate, then the same of up
// Keys are attended to in chunks of so many; partial softmaxes are merged in ascending order.
inline constexpr int chunk_keys = 128;
// Lines asked for at once amid other work: two Emerald Rapids cores took a tenth longer for what
// they computed with four or more at once, and hardly longer with one or two, as many in all.
inline constexpr int lines_at_once = 2;

// The sum over `depth` is split where the tiles of two operands would leave the first-level cache;
// part sums are added in ascending order.
inline constexpr int64_t most_depth_part = 1024;
inline int64_t depth_part(int64_t depth) {
    const int64_t parts = (depth + most_depth_part - 1) / most_depth_part;
    return parts <= 1 ? depth : (depth / parts + 63) / 64 * 64;
}

// What a product of this depth may use besides its operands, for weights or rows in another order:
// a part of all rows and four columns as floats, a part of a panel's columns with a gap in each
// of up to 16 stretches, or the whole depth of a row.
inline constexpr int64_t room_bytes(int64_t depth) {
    return std::max((panel_rows_of_pairs + 4) * most_depth_part * int64_t{sizeof(float)},
                    (depth + 1024) * 6);
}

// c[m][n] = sum over k of a[m][k] * b[n][k]
struct PanelProduct {
    const void* a = nullptr;         // [rows][depth], f32, or bf16 for the bf16 product
    int64_t a_stride = 0;            // elements
    int64_t rows = 0;                // at most panel_rows_of_..
    const void* const* b = nullptr;  // [columns] rows of weights, each [depth]
    int64_t columns = 0;             // a multiple of 4
    int64_t depth = 0;
    float* c = nullptr;      // [rows][panel_columns]
    float* room = nullptr;   // room_bytes(depth), on a cache line
    bool first_call = true;  // else room is as the last call left it, which had the same rows
};
using PanelFunction = void (*)(const PanelProduct&);

// Keys and values of one chunk and key-value head, to be packed as operands of attention's
// products: keys as words of four bytes, each a float, or the bf16 of a pair; values as floats,
// which few queries do without: they read the cache's own.
struct ChunkKeys {
    const void* k = nullptr;  // first key of the chunk
    const void* v = nullptr;
    int64_t k_stride = 0;  // elements between keys
    int64_t v_stride = 0;
    DType dtype = DType::bf16;
    int64_t count = 0;  // keys, at most chunk_keys
    int64_t head_dim = 0;
    int64_t padded_head_dim = 0;  // a multiple of 16
    ReadAhead* ahead = nullptr;   // where given, asked for a few lines at each step
    float* packed_k = nullptr;    // out [words of a head][chunk_keys]
    float* packed_v = nullptr;    // out [keys][padded_head_dim]; null: not packed
};

// Of a group of queries, what is known after some of their keys; so many floats may be read and are
// kept beyond the queries' maximum and sum.
inline constexpr int partial_padding = 16;
struct PartialSoftmax {
    float* maximum = nullptr;  // [queries] of score * scale; -inf before the first key
    float* sum = nullptr;      // [queries] of e^(score * scale - maximum)
    float* o = nullptr;        // [queries][padded_head_dim]: the same, times v
};

// One packed chunk for a group of query rows that share a key-value head.
struct AttendChunk {
    const float* q = nullptr;  // [queries][words of a head]; an odd head's last pair ends in 0
    int64_t queries = 0;
    const int32_t* visible =
        nullptr;  // [queries] keys of this chunk that each query sees, ascending
    float scale = 0;
    int64_t head_dim = 0;
    int64_t padded_head_dim = 0;
    const float* packed_k = nullptr;
    const void* v = nullptr;  // packed, or the cache's own where a head is whole vectors
    int64_t v_stride = 0;     // elements
    DType v_dtype = DType::f32;
    ReadAhead* ahead = nullptr;  // as ChunkKeys'
    PartialSoftmax out;          // the chunk is folded in
};

struct AttentionKernels {
    int64_t per_word;  // elements in a word of q and k: 1, of f32, or 2, of bf16
    void (*pack)(const ChunkKeys&);
    void (*attend)(const AttendChunk&);
};

// Adds the bias to a group of rotation pairs and rotates them, for `rows` rows.
struct Rotation {
    const float* c = nullptr;       // [rows][panel_columns]: rotation_group lows
    int64_t c_partner = 0;          // elements from a low of c to its high
    const float* bias = nullptr;    // rotation_group lows, then highs
    const float* cosine = nullptr;  // [rows][count], rows angle_stride apart; null: no rotation
    const float* sine = nullptr;
    int64_t angle_stride = 0;
    int64_t rows = 0;
    int64_t count = 0;    // pairs, at most rotation_group
    void* out = nullptr;  // of the first row's first low
    int64_t out_stride = 0;
    int64_t partner = 0;  // elements from a low to its high
    DType dtype = DType::bf16;
};

struct FusedKernels {
    const char* target;
    // f32 rows times weights of each dtype.
    PanelFunction product_f32, product_f16, product_bf16;
    // bf16 rows times bf16 weights; null where the CPU has no dot product of bf16.
    PanelFunction product_bf16_pairs;
    // out[i] = (row[i] / rms(row)) * weight[i], rounded once
    void (*rms_norm)(const void* row, DType row_dtype, const float* weight, float eps,
                     int64_t count, void* out, DType out_dtype);
    void (*convert)(const void* from, DType from_dtype, int64_t count, void* to, DType to_dtype);
    // out = residual + c
    void (*add)(const float* c, const void* residual, int64_t count, void* out, DType dtype);
    void (*rotate)(const Rotation&);
    // out[i] = silu(gates[i]) * ups[i]; whole groups of gate_group may be read
    void (*gate)(const float* gates, const float* ups, int64_t count, void* out, DType dtype);
    // Attention in f32 over a cache of any dtype.
    AttentionKernels attention;
    // The same with scores summed in doubles.
    AttentionKernels attention_f32;
    // The same of bf16 queries and cache; null where the CPU has no dot product of bf16.
    AttentionKernels attention_bf16_pairs;
    // Folds part into `to`, queries [from, queries).
    void (*fold)(const PartialSoftmax& to, const PartialSoftmax& part, int64_t from,
                 int64_t queries, int64_t padded_head_dim);
    // out[i] = o[i] / sum
    void (*divide)(const float* o, float sum, int64_t count, void* out, DType dtype);
};

// The best table for this CPU, chosen once; the environment's LOCKSTEP_SIMD=SCALAR, SSE4, AVX2 or
// AVX3 asks for a lesser one, without a dot product of bf16, AVX512_BF16 for one without AMX.
const FusedKernels& fused_kernels();

// kernels/cpu/fused_bf16_avx512.cpp, fused_bf16_amx.cpp: null where this CPU or build lacks
// AVX512_BF16 or AMX_BF16.
PanelFunction avx512_bf16_product();
PanelFunction amx_bf16_product();

}  // namespace lockstep
