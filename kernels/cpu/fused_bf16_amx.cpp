// SPDX-License-Identifier: GPL-3.0-or-later
// The product of bf16 rows with bf16 weights as AMX computes it: tdpbf16ps multiplies 16 rows of 32
// elements with 16 columns. Of each such block of the depth it sums the even products and the odd
// ones apart, in f32 and ascending, and adds the two sums' sum to what it has; it rounds to nearest
// even and flushes subnormals (Intel's Software Developer's Manual, TDPBF16PS). Several rows go
// through the tiles. A row alone waits for its weights, not for arithmetic: FMAs in the same order
// give it the same bits. Through tiles it had 25 GB/s where the FMAs have 29 (two Granite Rapids
// cores): a tile's loads follow 16 rows of weights at once, and copied first they wait for the
// copy.
#include "kernels/cpu/fused_bf16.h"

#if LOCKSTEP_X86
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace lockstep {
namespace {

constexpr int64_t tile_rows = 16;
constexpr int64_t tile_depth = 32;  // of bf16: 64 bytes
constexpr int64_t tile_bytes = 1024;
// A panel's transposed weights fill the kernel's room.
constexpr int64_t part_depth = 512;
static_assert(part_depth * panel_columns * 2 <= room_bytes(0));

// The instructions by name, as the headers' functions do not say that they read and write memory.
template <int tile>
LOCKSTEP_AVX512_INLINE void load_tile(const void* from, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(tile) : "memory");
}
template <int tile>
LOCKSTEP_AVX512_INLINE void store_tile(void* to, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(tile) : "memory");
}
template <int tile>
LOCKSTEP_AVX512_INLINE void zero_tile() {
    asm volatile("tilezero %%tmm%c0" ::"i"(tile));
}
// sums += left * right
template <int sums, int left, int right>
LOCKSTEP_AVX512_INLINE void multiply() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(left), "i"(right));
}

struct TileShape {
    int64_t rows = 0, bytes = 0;
};
// The shapes of all eight tiles, until it goes: then the CPU has no tiles to keep for this thread.
class Tiles {
  public:
    explicit Tiles(const std::array<TileShape, 8>& shapes) {
        alignas(64) struct {
            uint8_t palette = 1, start_row = 0;
            uint8_t reserved[14] = {};
            uint16_t row_bytes[16] = {};
            uint8_t rows[16] = {};
        } config;
        for (size_t i = 0; i < shapes.size(); ++i) {
            config.row_bytes[i] = static_cast<uint16_t>(shapes[i].bytes);
            config.rows[i] = static_cast<uint8_t>(shapes[i].rows);
        }
        asm volatile("ldtilecfg %0" ::"m"(config) : "memory");
    }
    ~Tiles() { asm volatile("tilerelease"); }
    Tiles(const Tiles&) = delete;
    Tiles& operator=(const Tiles&) = delete;
};

// words[i][j] becomes words[j][i].
LOCKSTEP_AVX512_INLINE void transpose(__m512i (&words)[16]) {
    __m512i blocks[16];  // [4 * i + j]: in its 128 bits' block b, word 4 * b + j of rows 4 * i ..
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        const __m512i low_01 = _mm512_unpacklo_epi32(words[i], words[i + 1]);
        const __m512i high_01 = _mm512_unpackhi_epi32(words[i], words[i + 1]);
        const __m512i low_23 = _mm512_unpacklo_epi32(words[i + 2], words[i + 3]);
        const __m512i high_23 = _mm512_unpackhi_epi32(words[i + 2], words[i + 3]);
        blocks[i] = _mm512_unpacklo_epi64(low_01, low_23);
        blocks[i + 1] = _mm512_unpackhi_epi64(low_01, low_23);
        blocks[i + 2] = _mm512_unpacklo_epi64(high_01, high_23);
        blocks[i + 3] = _mm512_unpackhi_epi64(high_01, high_23);
    }
    constexpr int even = 0x88, odd = 0xdd;  // blocks 0 and 2, or 1 and 3, of each operand
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
        const __m512i even_low = _mm512_shuffle_i32x4(blocks[j], blocks[4 + j], even);
        const __m512i odd_low = _mm512_shuffle_i32x4(blocks[j], blocks[4 + j], odd);
        const __m512i even_high = _mm512_shuffle_i32x4(blocks[8 + j], blocks[12 + j], even);
        const __m512i odd_high = _mm512_shuffle_i32x4(blocks[8 + j], blocks[12 + j], odd);
        words[j] = _mm512_shuffle_i32x4(even_low, even_high, even);
        words[4 + j] = _mm512_shuffle_i32x4(odd_low, odd_high, even);
        words[8 + j] = _mm512_shuffle_i32x4(even_low, even_high, odd);
        words[12 + j] = _mm512_shuffle_i32x4(odd_low, odd_high, odd);
    }
}

// --- a row alone ---

// 16 blocks go together, a lane each, whichever columns they are of: for every pair of their
// elements one vector of weights and two of the row's values, even and odd ones.
constexpr int64_t together = 16;

// The row, for 16 blocks that follow one another from any block on: values[2 * pair + odd][block],
// and after the last block the first 16 again.
struct SpreadRow {
    float* values = nullptr;
    int64_t blocks = 0;

    int64_t stride() const { return blocks + together; }
    int64_t floats() const { return tile_depth * stride(); }
};

LOCKSTEP_AVX512 void spread_row(const uint16_t* a, int64_t depth, const SpreadRow& row) {
    const int64_t stride = row.stride();
    for (int64_t first = 0; first < stride; first += together) {
        const int64_t at = std::min(first, row.blocks);  // the last 16, rather than beyond them
        __m512i words[16];
        for (int64_t i = 0; i < together; ++i) {
            const int64_t k = (at + i) % row.blocks * tile_depth;
            words[i] = load_part(a + k, depth - k);
        }
        transpose(words);
        float* to = row.values + at;
        for (int64_t j = 0; j < 16; ++j, to += 2 * stride) {
            _mm512_storeu_ps(to, even_of(words[j]));
            _mm512_storeu_ps(to + stride, odd_of(words[j]));
        }
    }
}

// Of 16 blocks' weights, which are multiplied with the row's from block `phase` on: their sums, in
// their lanes. Where it fetches, they are lines of one stream from `weights` on.
template <bool fetches>
LOCKSTEP_AVX512_INLINE __m512 block_sums(__m512i (&words)[16], const SpreadRow& row, int64_t phase,
                                         const uint16_t* weights) {
    const int64_t stride = row.stride();
    const float* values = row.values + phase;
    const auto* line = reinterpret_cast<const char*>(weights);
    transpose(words);
    __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
#pragma GCC unroll 16
    for (int j = 0; j < 16; ++j, values += 2 * stride) {
        if constexpr (fetches) fetch_stream_in_stages(line + j * 64);
        even = _mm512_fmadd_ps(even_of(words[j]), _mm512_loadu_ps(values), even);
        odd = _mm512_fmadd_ps(odd_of(words[j]), _mm512_loadu_ps(values + stride), odd);
    }
    return _mm512_add_ps(even, odd);
}

// The sums of all blocks of some columns, column by column: sums[column * blocks + block], and up
// to 15 more. Where columns lie one behind the other, their weights are one stream.
LOCKSTEP_AVX512 void sum_blocks(const SpreadRow& row, const uint16_t* const* b, int64_t columns,
                                int64_t depth, float* sums) {
    const int64_t blocks = row.blocks, all = columns * blocks;
    const int64_t streamed = depth % tile_depth == 0 ? all / together * together : 0;
    const auto following = [&](int64_t phase) {
        for (phase += together; phase >= blocks;) phase -= blocks;  // a division takes longer
        return phase;
    };
    __m512i words[16];
    int64_t phase = 0;
    for (int64_t first = 0; first < streamed; first += together, phase = following(phase)) {
        const uint16_t* w = b[0] + first * tile_depth;
#pragma GCC unroll 16
        for (int64_t i = 0; i < together; ++i) words[i] = _mm512_loadu_si512(w + i * tile_depth);
        _mm512_storeu_ps(sums + first, block_sums<true>(words, row, phase, w));
    }
    for (int64_t first = streamed; first < all; first += together, phase = following(phase)) {
        for (int64_t i = 0; i < together; ++i) {
            const int64_t block = std::min(first + i, all - 1), k = block % blocks * tile_depth;
            words[i] = load_part(b[block / blocks] + k, depth - k);
        }
        _mm512_storeu_ps(sums + first, block_sums<false>(words, row, phase, nullptr));
    }
}

// c[column] = the sum of its blocks' sums, ascending.
LOCKSTEP_AVX512 void add_blocks(const float* sums, int64_t blocks, int64_t columns, float* c) {
    __m512 sum = _mm512_setzero_ps();
    for (int64_t first = 0; first < blocks; first += 16) {
        __m512i words[16];
        for (int64_t n = 0; n < 16; ++n)
            words[n] = _mm512_loadu_si512(sums + std::min(n, columns - 1) * blocks + first);
        transpose(words);
        for (int64_t i = 0; i < std::min<int64_t>(16, blocks - first); ++i)
            sum = _mm512_add_ps(sum, _mm512_castsi512_ps(words[i]));
    }
    _mm512_mask_storeu_ps(c, static_cast<__mmask16>((1u << columns) - 1), sum);
}

LOCKSTEP_AVX512 void row_product(const PanelProduct& p) {
    const FlushSubnormals flush;
    const auto* b = reinterpret_cast<const uint16_t* const*>(p.b);
    const SpreadRow row{p.room, (p.depth + tile_depth - 1) / tile_depth};
    float* const sums = p.room + row.floats();
    if (p.first_call) spread_row(static_cast<const uint16_t*>(p.a), p.depth, row);
    for (int64_t n = 0, columns = 1; n < p.columns; n += columns) {
        columns = 1;
        while (columns < 16 && n + columns < p.columns &&
               b[n + columns] - b[n + columns - 1] == p.depth)
            ++columns;
        sum_blocks(row, b + n, columns, p.depth, sums);
        add_blocks(sums, row.blocks, columns, p.c + n);
    }
}

// --- several rows ---

// Depth [from, to) of 16 columns as right operands, one tile after the other; zeros beyond the last
// column and the depth's end.
LOCKSTEP_AVX512 void pack_columns(const uint16_t* const* b, int64_t columns, int64_t from,
                                  int64_t to, char* tiles) {
    for (int64_t k = from; k < to; k += tile_depth, tiles += tile_bytes) {
        __m512i words[16];
#pragma GCC unroll 16
        for (int64_t n = 0; n < 16; ++n)
            words[n] = n < columns ? load_part(b[n] + k, to - k) : _mm512_setzero_si512();
        transpose(words);
#pragma GCC unroll 16
        for (int64_t i = 0; i < 16; ++i) _mm512_store_si512(tiles + i * 64, words[i]);
    }
}

// Tiles: sums of 16 rows x 16 columns (lower and upper rows, left and right columns), rows,
// columns.
enum BlockTile {
    lower_left,
    lower_right,
    upper_left,
    upper_right,
    lower_rows,
    upper_rows,
    left_columns,
    right_columns
};

struct Block {
    const uint16_t* a = nullptr;  // first row, from the part's depth on
    int64_t a_stride = 0, rows = 0;
    const char *left = nullptr, *right = nullptr;  // packed columns
    int64_t depth = 0;                             // of the part
    float* c = nullptr;
    bool add = false;
};

template <int tile>
LOCKSTEP_AVX512_INLINE void begin_sums(const float* c, bool add) {
    if (add) {
        load_tile<tile>(c, panel_columns * 4);
    } else {
        zero_tile<tile>();
    }
}

// The tile of rows [first, first + count) and the last elements of the part, fewer than tile_depth.
template <int tile>
LOCKSTEP_AVX512_INLINE void load_last(const Block& block, int64_t first, int64_t count, int64_t k) {
    alignas(64) char copied[tile_bytes];
    for (int64_t i = 0; i < count; ++i) {
        const uint16_t* row = block.a + (first + i) * block.a_stride;
        _mm512_store_si512(copied + i * 64, load_part(row + k, block.depth - k));
    }
    load_tile<tile>(copied, 64);
}

// Up to 16 rows, or, `tall`, up to 32, x 32 columns.
template <bool tall>
LOCKSTEP_AVX512_INLINE void multiply_block(const Block& block) {
    float* const c = block.c;
    float* const upper_c = c + tile_rows * panel_columns;
    begin_sums<lower_left>(c, block.add);
    begin_sums<lower_right>(c + 16, block.add);
    if constexpr (tall) {
        begin_sums<upper_left>(upper_c, block.add);
        begin_sums<upper_right>(upper_c + 16, block.add);
    }
    const auto step = [&](int64_t k) LOCKSTEP_AVX512 {
        load_tile<left_columns>(block.left + k * 32, 64);
        load_tile<right_columns>(block.right + k * 32, 64);
        multiply<lower_left, lower_rows, left_columns>();
        multiply<lower_right, lower_rows, right_columns>();
        if constexpr (tall) {
            multiply<upper_left, upper_rows, left_columns>();
            multiply<upper_right, upper_rows, right_columns>();
        }
    };
    const uint16_t* const upper = block.a + tile_rows * block.a_stride;
    int64_t k = 0;
    for (; k + tile_depth <= block.depth; k += tile_depth) {
        load_tile<lower_rows>(block.a + k, block.a_stride * 2);
        if constexpr (tall) load_tile<upper_rows>(upper + k, block.a_stride * 2);
        step(k);
    }
    if (k < block.depth) {
        load_last<lower_rows>(block, 0, std::min(block.rows, tile_rows), k);
        if constexpr (tall) load_last<upper_rows>(block, tile_rows, block.rows - tile_rows, k);
        step(k);
    }
    store_tile<lower_left>(c, panel_columns * 4);
    store_tile<lower_right>(c + 16, panel_columns * 4);
    if constexpr (tall) {
        store_tile<upper_left>(upper_c, panel_columns * 4);
        store_tile<upper_right>(upper_c + 16, panel_columns * 4);
    }
}

std::array<TileShape, 8> block_shapes(int64_t rows) {
    const TileShape columns{tile_depth / 2, 64};
    const TileShape lower{std::min(rows, tile_rows), 64}, upper{rows - lower.rows, 64};
    if (upper.rows == 0) return {lower, lower, {}, {}, lower, {}, columns, columns};
    return {lower, lower, upper, upper, lower, upper, columns, columns};
}

// Rows [first, last), fewer than 33 or a multiple of 32, x all columns of the part.
LOCKSTEP_AVX512 void multiply_rows(const PanelProduct& p, int64_t first, int64_t last, int64_t from,
                                   int64_t to) {
    if (first == last) return;
    Block block;
    block.rows = std::min(last - first, 2 * tile_rows);
    block.a_stride = p.a_stride;
    block.depth = to - from;
    block.add = from > 0;
    const int64_t tiles = (block.depth + tile_depth - 1) / tile_depth * tile_bytes;
    const Tiles shapes(block_shapes(block.rows));
    for (int64_t n = 0; n < p.columns; n += 32) {
        block.left = reinterpret_cast<const char*>(p.room) + n / 16 * tiles;
        block.right = block.left + tiles;
        for (int64_t m = first; m < last; m += block.rows) {
            block.a = static_cast<const uint16_t*>(p.a) + m * p.a_stride + from;
            block.c = p.c + m * panel_columns + n;
            if (block.rows > tile_rows) {
                multiply_block<true>(block);
            } else {
                multiply_block<false>(block);
            }
        }
    }
}

LOCKSTEP_AVX512 void product(const PanelProduct& p) {
    if (p.rows == 1) {
        row_product(p);
        return;
    }
    const auto* b = reinterpret_cast<const uint16_t* const*>(p.b);
    const int64_t whole = p.rows / (2 * tile_rows) * (2 * tile_rows);
    for (int64_t from = 0; from < p.depth; from += part_depth) {
        const int64_t to = std::min(from + part_depth, p.depth);
        char* packed = reinterpret_cast<char*>(p.room);
        for (int64_t n = 0; n < (p.columns + 31) / 32 * 32; n += 16) {
            pack_columns(b + n, p.columns - n, from, to, packed);
            packed += (to - from + tile_depth - 1) / tile_depth * tile_bytes;
        }
        multiply_rows(p, 0, whole, from, to);
        multiply_rows(p, whole, p.rows, from, to);
    }
}

// Clang 14's __builtin_cpu_supports does not know them.
bool has_tiles_of_bf16() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned tile = 1u << 24, bf16 = 1u << 22;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & tile) != 0 && (d & bf16) != 0;
}

// The kernel keeps tiles for those processes alone that have asked.
bool tiles_allowed() {
    constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XTILEDATA
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

}  // namespace

PanelFunction amx_bf16_product() {
    if (!(has_tiles_of_bf16() && __builtin_cpu_supports("avx512bw") &&
          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")))
        return nullptr;
    return tiles_allowed() ? product : nullptr;
}

}  // namespace lockstep

#else
namespace lockstep {
PanelFunction amx_bf16_product() {
    return nullptr;
}
}  // namespace lockstep
#endif
