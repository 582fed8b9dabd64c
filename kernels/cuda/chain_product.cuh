// SPDX-License-Identifier: GPL-3.0-or-later
// A product's part of a chain, on the tensor cores. Of eight weight rows, as they lie in a stage of
// the ring, 32 columns are one left operand: 16 of them above, the other 16 below. The right
// operand has the row's columns for above and for below side by side; what is above times what is
// for below is thrown away. Tensor cores multiply 16-bit values: a normed row, which has more
// digits, lies there as three parts whose sum it is to f32's last bit, in columns of their own, so
// that the three cost what one does. Sums are f32.
#pragma once

#include "kernels/cuda/chain_ring.cuh"

namespace lockstep::fused {

constexpr int normed_parts = 3;

struct ChainMemory {
    unsigned char* x;  // zero_bytes of zeros; the row's parts, part_bytes() each
    float* sums;       // [rows, sums_pitch]
    float* squares;    // [2, multiplying_threads]: a link's, while the one before is being put out
};
constexpr int zero_bytes = 64;

// What every link of a launch knows.
struct Turn {
    int index;
    uint32_t tag;  // of what this link puts out; the one before has one less
    int position;
};

// Elements lie in 32s, in the order in which the four lanes of an operand's row want their pairs:
// lane, then eight. A part's place is an odd multiple of 64 bytes: two parts meet no bank twice.
__host__ __device__ constexpr int part_bytes(int depth) {
    return ((depth + 31) / 32 * 64) | 64;
}

// Four elements of the row, two in a word: where it lies, or from the exchange.
template <class T>
__device__ __forceinline__ void load_row(const ProductLink& p, uint32_t tag, int four,
                                         uint32_t (&word)[2]) {
    if (p.x_exchange) {
        receive(p.x_exchange + four * 2, tag - 1, word);
    } else {
        const uint2 two = __ldcg(static_cast<const uint2*>(p.x) + four);
        word[0] = two.x;
        word[1] = two.y;
    }
}

// Puts four elements, two in a word, into their places.
__device__ __forceinline__ void put_four(unsigned char* part, int four, uint32_t low,
                                         uint32_t high) {
    unsigned char* const to = part + four / 8 * 64 + four % 2 * 32 + four / 2 % 4 * 4;
    *reinterpret_cast<uint32_t*>(to) = low;
    *reinterpret_cast<uint32_t*>(to + 16) = high;
}

// value, as parts that add up to it.
template <class T>
__device__ __forceinline__ void put_parts(unsigned char* x, int bytes, int four,
                                          float (&value)[4]) {
#pragma unroll
    for (int part = 0; part < normed_parts; ++part) {
        uint32_t word[2];
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            word[i] = device::pack<T>(value[2 * i], value[2 * i + 1]);
            const float2 there = device::unpack<T>(word[i]);
            value[2 * i] -= there.x;
            value[2 * i + 1] -= there.y;
        }
        put_four(x + part * bytes, four, word[0], word[1]);
    }
}

// 1 / sqrt(mean(x^2) + eps), by whole warps, from what every thread has found of the squares.
__device__ __forceinline__ float norm_scale(const float* squares, float inverse_depth, float eps) {
    const int lane = threadIdx.x % 32;
    float sum = 0;
#pragma unroll
    for (int i = 0; i < multiplying_threads; i += 128) {
        const float4 four = *reinterpret_cast<const float4*>(squares + i + lane * 4);
        sum += (four.x + four.y) + (four.z + four.w);
    }
    return rsqrtf(device::warp_sum(sum) * inverse_depth + eps);
}

// The norm's weights of a thread's first four elements.
template <class T>
__device__ __forceinline__ uint2 first_weights(const ProductLink& p) {
    const int four = static_cast<int>(threadIdx.x);
    return p.norm && four < p.depth / 4 ? static_cast<const uint2*>(p.norm)[four] : uint2{};
}

// The row times the norm's weights. bf16 has f32's range: there the norm's factor is applied to the
// sums, and nobody waits for it before multiplying.
template <class T>
__device__ void stage_normed(const ProductLink& p, uint32_t tag, const uint2& first_weights,
                             unsigned char* x, float* squares_of_threads) {
    constexpr bool scaled = std::is_same_v<T, device::f16>;
    const int fours = p.depth / 4, padded = (p.depth + 31) / 32 * 8, bytes = part_bytes(p.depth);
    const auto* const norm = static_cast<const uint2*>(p.norm);
    float squares = 0;
    const auto stage = [&](float scale, auto first_pass, auto last_pass) {
#pragma unroll 1
        for (int i = threadIdx.x; i < padded; i += multiplying_threads) {
            float value[4] = {};
            if (i < fours) {
                uint32_t word[2];
                load_row<T>(p, tag, i, word);
                const uint2 weights = i < multiplying_threads ? first_weights : norm[i];
                const float2 low = device::unpack<T>(word[0]), high = device::unpack<T>(word[1]);
                if constexpr (first_pass.value)
                    squares += low.x * low.x + low.y * low.y + high.x * high.x + high.y * high.y;
                const float2 w0 = device::unpack<T>(weights.x), w1 = device::unpack<T>(weights.y);
                value[0] = low.x * scale * w0.x;
                value[1] = low.y * scale * w0.y;
                value[2] = high.x * scale * w1.x;
                value[3] = high.y * scale * w1.y;
            }
            if constexpr (last_pass.value) put_parts<T>(x, bytes, i, value);
        }
    };
    stage(1, std::true_type(), std::bool_constant<!scaled>());
    squares_of_threads[threadIdx.x] = squares;
    if constexpr (scaled) {
        meet();
        stage(norm_scale(squares_of_threads, p.inverse_depth, p.eps), std::false_type(),
              std::true_type());
    }
}
// A thread's fours are asked for together: one after the other each would take the whole way.
template <class T, int AtOnce>
__device__ void stage_plain(const ProductLink& p, uint32_t tag, unsigned char* x) {
    const int fours = p.depth / 4, padded = (p.depth + 31) / 32 * 8;
#pragma unroll 1
    for (int first = threadIdx.x; first < padded; first += AtOnce * multiplying_threads) {
        const auto place = [&](int i) { return min(first + i * multiplying_threads, fours - 1); };
        uint2 word[AtOnce];
        if (p.x_exchange) {
            TwoWords words[AtOnce];
            receive([&](int i) { return p.x_exchange + place(i) * 2; }, tag - 1, words);
#pragma unroll
            for (int i = 0; i < AtOnce; ++i) word[i] = {words[i].low(), words[i].high()};
        } else {
#pragma unroll
            for (int i = 0; i < AtOnce; ++i)
                word[i] = __ldcg(static_cast<const uint2*>(p.x) + place(i));
        }
#pragma unroll
        for (int i = 0; i < AtOnce; ++i) {
            const int four = first + i * multiplying_threads;
            if (four < fours) {
                put_four(x, four, word[i].x, word[i].y);
            } else if (four < padded) {
                put_four(x, four, 0, 0);
            }
        }
    }
}

// A warp's part of a product: its place among the warps, and the stages that are its own. Warps
// that share stages, a slot, have every so-manieth stage of the ring: whoever waits for a stage to
// be full has itself read what was in it before, as the barriers' phases want it. All that does not
// need the row is done while it is waited for.
template <class T, int Parts>
class Multiplier {
  public:
    __device__ Multiplier(const ProductLink& p, const Share& share, const Ring& ring,
                          const Place& place, const ChainMemory& memory)
        : ring_(ring),
          split_(1 << p.split_log2),
          slots_(multiplying_warps >> p.split_log2),
          part_(static_cast<int>(threadIdx.x) / 32 & (split_ - 1)),
          depth_(p.depth),
          piece_columns_(p.piece),
          pieces_inverse_(p.pieces_inverse),
          pieces_(p.pieces),
          pitch_(p.sums_pitch),
          slot_(static_cast<int>(threadIdx.x) / 32 >> p.split_log2),
          items_(slot_ < ring.stages ? share.groups * p.pieces : 0),
          first_(-place.stage),
          there_{slot_, place.phase} {
        // Column n of the right operand: part n / 2, for above or for below.
        const int lane = threadIdx.x % 32, n = lane / 4;
        const bool has_x = n < 2 * Parts;
        own_x_ = memory.x +
                 (has_x ? zero_bytes + n / 2 * part_bytes(depth_) + n % 2 * 8 + lane % 4 * 16 : 0);
        own_step_ = has_x ? 64 : 0;
        // ldmatrix's four: columns 0 to 7 and 16 to 23 of the 32, then 8 to 15 and 24 to 31.
        rows_ = lane % 8 * p.pitch + (lane / 8 % 2 * 2 + lane / 16) * 16;
        own_sums_ = memory.sums + lane / 4 * pitch_ + part_;
        while (first_ + there_.stage < 0) next();  // slots from ring.stages on have no such stage
        wait();
    }
    __device__ void run() {
#pragma unroll 1
        while (has_item()) {
            const int item = first_ + there_.stage;
            const int group =
                pieces_inverse_ == 0 ? item : static_cast<int>(__umulhi(item, pieces_inverse_));
            const int piece = item - group * pieces_, column = piece * piece_columns_;
            const float sum =
                multiply_stage(ring_.at(there_.stage) + rows_, own_x_ + column / 32 * own_step_,
                               min(piece_columns_, depth_ - column));
            __syncwarp();
            if (threadIdx.x % 32 == 0) ring_.leave(there_, slots_);
            if (threadIdx.x % 4 == 0) own_sums_[group * stage_rows * pitch_ + piece * split_] = sum;
            next();
            wait();
        }
    }

  private:
    __device__ bool has_item() const {
        return first_ + there_.stage < items_;
    }
    __device__ void next() {
        there_.stage += slots_;
        if (there_.stage < ring_.stages) return;
        there_.stage = slot_;
        there_.phase ^= 1;
        first_ += ring_.stages;
    }
    __device__ void wait() const {
        if (has_item()) ring_.wait_full(there_);
    }

    // Eight weight rows times the row, 32 columns a step, every split_th step, up to four steps at
    // once. Lanes 4 r to 4 r + 3 get the sum of row r.
    __device__ float multiply_stage(const unsigned char* weights, const unsigned char* x,
                                    int columns) const {
        constexpr int at_once = 4;
        const int steps = (columns + 31) / 32;
        float sum[2][4] = {};
        uint32_t left[at_once][4];
        uint2 right[at_once];
        const auto load = [&](int i, int step) {
            device::load_matrices(left[i], weights + step * 64);
            right[i] = *reinterpret_cast<const uint2*>(x + step * own_step_);
        };
        const auto add = [&](int i) {
            device::mma<T>(sum[i % 2], left[i], right[i].x, right[i].y);
        };
        int step = part_;
#pragma unroll 1
        for (; step + (at_once - 1) * split_ < columns / 32; step += at_once * split_) {
#pragma unroll
            for (int i = 0; i < at_once; ++i) load(i, step + i * split_);
#pragma unroll
            for (int i = 0; i < at_once; ++i) add(i);
        }
#pragma unroll
        for (int i = 0; i < at_once; ++i) {
            if (step + i * split_ >= steps) break;
            load(i, step + i * split_);
            drop_tail(columns - (step + i * split_) * 32, left[i]);
        }
#pragma unroll
        for (int i = 0; i < at_once; ++i) {
            if (step + i * split_ < steps) add(i);
        }
        float own = (sum[0][0] + sum[0][3]) + (sum[1][0] + sum[1][3]);
        if constexpr (Parts > 1) {
            own += __shfl_xor_sync(0xffffffffU, own, 1);
            own += __shfl_xor_sync(0xffffffffU, own, 2);
        }
        return own;
    }
    // What lies behind a row's end is not multiplied.
    __device__ static void drop_tail(int columns, uint32_t (&left)[4]) {
        if (columns >= 32) return;
        if (columns <= 8) left[2] = 0;
        if (columns <= 16) left[1] = 0;
        if (columns <= 24) left[3] = 0;
    }

    const Ring& ring_;
    const int split_, slots_, part_, depth_, piece_columns_;
    const unsigned pieces_inverse_;
    const int pieces_, pitch_, slot_, items_;  // no items where there are more slots than stages
    int first_;                                // item of the ring's first stage
    Place there_;
    int rows_, own_step_;
    const unsigned char* own_x_;
    float* own_sums_;
};

// What becomes of a unit's sums. What is added to them is on its way before they are there.
template <class T>
struct Ending {
    T *first_out = nullptr, *second_out = nullptr;
    unsigned short first = 0, second = 0;  // bits of the residual; or of the biases
    float cosine = 1, sine = 0;

    __device__ void prepare(Link::Kind kind, const ProductLink& p, int unit, int position) {
        if (kind != Link::Kind::heads) {
            first_out = static_cast<T*>(p.out[0]) + unit;
            // Of this thread's own making, where a link before has made it.
            if (kind == Link::Kind::add)
                first = __ldcg(static_cast<const unsigned short*>(p.residual) + unit);
            return;
        }
        const HeadPair pair(p, unit);
        const int i = pair.i, which = pair.which;
        first_out = static_cast<T*>(p.out[which]) + pair.head * p.head_stride[which] + i +
                    (which == 0 ? int64_t{0} : int64_t{position} * p.out_stride[which]);
        second_out = first_out + pair.half;
        if (const auto* const bias = static_cast<const unsigned short*>(p.bias[which])) {
            first = bias[pair.head * p.dim + i];
            second = bias[pair.head * p.dim + i + pair.half];
        }
        if (which == 2) return;
        cosine = p.cosine[int64_t{position} * p.cosine_stride + i];
        sine = p.sine[int64_t{position} * p.sine_stride + i];
    }
    // What the unit puts out: one value, or of qkv two.
    __device__ float2 finish(Link::Kind kind, float low, float high) const {
        if (kind == Link::Kind::gated) return {low / (1 + expf(-low)) * high, 0};
        low += value_of(first);
        if (kind == Link::Kind::add) return {low, 0};
        high += value_of(second);
        return {low * cosine - high * sine, high * cosine + low * sine};
    }

  private:
    __device__ static float value_of(unsigned short bits) {
        return device::to_float(*reinterpret_cast<const T*>(&bits));
    }
};

__device__ __forceinline__ float sum_of(const float* from, int count) {
    float sum = 0;
    for (int i = 0; i < count; i += 4) {
        const float4 four = *reinterpret_cast<const float4*>(from + i);
        sum += four.x;
        if (i + 1 < count) sum += four.y;
        if (i + 2 < count) sum += four.z;
        if (i + 3 < count) sum += four.w;
    }
    return sum;
}

// By whole warps, as neighbours share a word.
template <class T>
__device__ void put_out(Link::Kind kind, const ProductLink& p, const Turn& turn, bool stores,
                        int unit, int local, const Ending<T>& ending, const ChainMemory& memory,
                        float scale) {
    const int pitch = p.sums_pitch, width = p.pieces << p.split_log2;
    float2 sum{};
    if (stores) {
        const float* const from = memory.sums + local * p.parts * pitch;
        sum.x = sum_of(from, width);
        if (p.parts == 2) sum.y = sum_of(from + pitch, width);
    }
    const float2 value = ending.finish(kind, sum.x * scale, sum.y * scale);
    if (kind == Link::Kind::heads) {
        if (!stores) return;
        if (p.out_exchange)
            send(p.out_exchange + unit, device::pack<T>(value.x, value.y), turn.tag);
        *ending.first_out = device::from_float<T>(value.x);
        *ending.second_out = device::from_float<T>(value.y);
        return;
    }
    const float neighbour = __shfl_down_sync(0xffffffffu, value.x, 1);
    if (!stores) return;
    if (p.out_exchange && local % 2 == 0)
        send(p.out_exchange + unit / 2, device::pack<T>(value.x, neighbour), turn.tag);
    *ending.first_out = device::from_float<T>(value.x);
}

// The two kinds of products: of a normed row, and of one that is as it is.
// fetch: called by all threads between the link's first and last meeting.
template <class T, bool Normed, class Fetch>
__device__ __forceinline__ void do_product(const Link& link, const Turn& turn, const Ring& ring,
                                           Place& place, const ChainMemory& memory,
                                           const Fetch& fetch) {
    const Link::Kind kind = link.kind;
    const ProductLink& p = link.product;
    const Share share(p);
    const int local = static_cast<int>(threadIdx.x), unit = share.first + local;
    const bool stores = local < share.units, warp_stores = local / 32 * 32 < share.units;
    float* const squares = memory.squares + turn.index % 2 * multiplying_threads;
    uint2 weights{};
    if constexpr (Normed) weights = first_weights<T>(p);
    Ending<T> ending;
    if (stores) ending.prepare(kind, p, unit, turn.position);
    Multiplier<T, Normed ? normed_parts : 1> multiplier(p, share, ring, place, memory);
    if (share.units > 0) {
        if constexpr (Normed) {
            stage_normed<T>(p, turn.tag, weights, memory.x + zero_bytes, squares);
        } else {
            if (p.depth <= 4 * multiplying_threads) {
                stage_plain<T, 1>(p, turn.tag, memory.x + zero_bytes);
            } else {
                stage_plain<T, 6>(p, turn.tag, memory.x + zero_bytes);
            }
        }
    }
    meet();
    multiplier.run();
    place.advance(share.groups * p.pieces, ring.stages);
    fetch();
    float scale = 1;
    if constexpr (Normed && std::is_same_v<T, device::bf16>) {
        if (warp_stores) scale = norm_scale(squares, p.inverse_depth, p.eps);
    }
    meet();
    if (warp_stores) put_out<T>(kind, p, turn, stores, unit, local, ending, memory, scale);
}

}  // namespace lockstep::fused
