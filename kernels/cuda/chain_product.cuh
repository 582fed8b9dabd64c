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

// Of a link. sums and squares are others than those of the link before, which are still being read
// while what comes next is multiplied.
struct ChainMemory {
    unsigned char* x;  // zero_bytes of zeros; the row's parts, part_bytes() each
    float* sums;       // [rows, sums_pitch]: a row's, of each warp's columns
    float* squares;    // [multiplying_warps]
};
constexpr int zero_bytes = 64;
constexpr int sums_pitch = multiplying_warps + 4;  // eight rows are in different banks

// What every link of a launch knows.
struct Turn {
    uint32_t tag;  // of what this link puts out; the one before has one less
    int position;
    int thread;  // threadIdx.x, which the compiler shall not know: what follows from it would be
                 // kept in registers through all links
};

// Elements lie in 32s, in the order in which the four lanes of an operand's row want their pairs:
// lane, then eight; zeros up to a whole piece. A part's place is an odd multiple of 64 bytes: two
// parts meet no bank twice.
__host__ __device__ constexpr int part_bytes(int depth) {
    return ((depth + piece_columns - 1) / piece_columns * piece_columns * 2) | 64;
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

__device__ __forceinline__ void tell_squares(float squares, int thread, float* squares_of_warps) {
    squares = device::warp_sum(squares);
    if (thread % 32 == 0) squares_of_warps[thread / 32] = squares;
}
// 1 / sqrt(mean(x^2) + eps)
__device__ __forceinline__ float norm_scale(const float* squares_of_warps, float inverse_depth,
                                            float eps) {
    float sum = 0;
#pragma unroll
    for (int i = 0; i < multiplying_warps; i += 4) {
        const float4 four = *reinterpret_cast<const float4*>(squares_of_warps + i);
        sum += (four.x + four.y) + (four.z + four.w);
    }
    return rsqrtf(sum * inverse_depth + eps);
}

// A warp has every eighth step of 32 columns: it stages what it multiplies itself, and waits for no
// other warp before it begins. Of a piece that is four.
constexpr int own_steps = piece_columns / 32 / multiplying_warps;
constexpr int fours_in_step = 8;

// The place, among the fours of a piece, of the one that a lane stages.
__device__ __forceinline__ int own_four(int thread) {
    const int lane = thread % 32, warp = thread / 32;
    return (warp + lane / fours_in_step * multiplying_warps) * fours_in_step + lane % fours_in_step;
}

// The norm's weights of a lane's four.
template <class T>
__device__ __forceinline__ uint2 norm_weights(const ProductLink& p, int thread) {
    const int four = own_four(thread);
    return four < p.depth / 4 ? static_cast<const uint2*>(p.norm)[four] : uint2{};
}

// The row times the norm's weights; returns this lane's squares. bf16 has f32's range: there the
// norm's factor is applied to the sums, and nobody waits for it before multiplying.
template <class T>
__device__ __forceinline__ float stage_normed(const ProductLink& p, const Turn& turn,
                                              const uint2& weights, unsigned char* x,
                                              float* squares_of_warps) {
    const int four = own_four(turn.thread);
    float value[4] = {}, squares = 0;
    if (four < p.depth / 4) {
        uint32_t word[2];
        load_row<T>(p, turn.tag, four, word);
        const float2 low = device::unpack<T>(word[0]), high = device::unpack<T>(word[1]);
        squares = low.x * low.x + low.y * low.y + high.x * high.x + high.y * high.y;
        const float2 w0 = device::unpack<T>(weights.x), w1 = device::unpack<T>(weights.y);
        value[0] = low.x * w0.x;
        value[1] = low.y * w0.y;
        value[2] = high.x * w1.x;
        value[3] = high.y * w1.y;
    }
    if constexpr (std::is_same_v<T, device::f16>) {
        tell_squares(squares, turn.thread, squares_of_warps);
        meet();
        const float scale = norm_scale(squares_of_warps, p.inverse_depth, p.eps);
#pragma unroll
        for (float& one : value) one *= scale;
    }
    put_parts<T>(x, part_bytes(p.depth), four, value);
    __syncwarp();
    return squares;
}

// A lane's fours of all pieces are asked for together: one after the other each would take the
// whole way.
template <class T, int AtOnce>
__device__ __forceinline__ void stage_plain(const ProductLink& p, const Turn& turn,
                                            unsigned char* x) {
    const int fours = p.depth / 4, own = own_four(turn.thread);
#pragma unroll 1
    for (int first = 0; first < p.pieces; first += AtOnce) {
        const auto place = [&](int i) {
            return min((first + i) * (piece_columns / 4) + own, fours - 1);
        };
        uint2 word[AtOnce];
        if (p.x_exchange) {
            TwoWords words[AtOnce];
            receive([&](int i) { return p.x_exchange + place(i) * 2; }, turn.tag - 1, words);
#pragma unroll
            for (int i = 0; i < AtOnce; ++i) word[i] = {words[i].low(), words[i].high()};
        } else {
#pragma unroll
            for (int i = 0; i < AtOnce; ++i)
                word[i] = __ldcg(static_cast<const uint2*>(p.x) + place(i));
        }
#pragma unroll
        for (int i = 0; i < AtOnce; ++i) {
            if (first + i >= p.pieces) break;
            const int four = (first + i) * (piece_columns / 4) + own;
            const bool is_there = four < fours;
            put_four(x, four, is_there ? word[i].x : 0, is_there ? word[i].y : 0);
        }
    }
    __syncwarp();
}

// What a lane reads, and how a warp multiplies it: of eight weight rows in a stage, and of the row,
// steps `step`, step + Stride and so on, four of them. Behind a row's end the last step is read
// again, and multiplied with zeros.
template <class T, int Parts, int Stride>
class Multiplier {
  public:
    using Left = uint32_t[own_steps][4];
    using Right = uint2[own_steps];

    __device__ Multiplier(const ProductLink& p, int thread, const unsigned char* x)
        : last_((p.depth + 31) / 32 - 1), tail_(p.depth % 32) {
        // Column n of the right operand: part n / 2, for above or for below.
        const int lane = thread % 32, n = lane / 4;
        const bool has_x = n < 2 * Parts;
        x_ = x + (has_x ? zero_bytes + n / 2 * part_bytes(p.depth) + n % 2 * 8 + lane % 4 * 16 : 0);
        x_step_ = has_x ? 64 : 0;
        // ldmatrix's four: columns 0 to 7 and 16 to 23 of the 32, then 8 to 15 and 24 to 31.
        rows_ = lane % 8 * p.pitch + (lane / 8 % 2 * 2 + lane / 16) * 16;
    }
    __device__ __forceinline__ void load(const unsigned char* stage, int piece, int step,
                                         Left& left) const {
        const int last = last_ - piece * piece_steps;
        stage += rows_;
#pragma unroll
        for (int i = 0; i < own_steps; ++i)
            device::load_matrices(left[i], stage + min(step + i * Stride, last) * 64);
        if (tail_ != 0) {
#pragma unroll
            for (int i = 0; i < own_steps; ++i) {
                if (step + i * Stride >= last) drop_tail(left[i]);
            }
        }
    }
    __device__ __forceinline__ void load(int piece, int step, Right& right) const {
        const unsigned char* const x = x_ + (piece * piece_steps + step) * x_step_;
#pragma unroll
        for (int i = 0; i < own_steps; ++i)
            right[i] = *reinterpret_cast<const uint2*>(x + i * Stride * x_step_);
    }
    __device__ __forceinline__ static void add(const Left& left, const Right& right,
                                               float (&sum)[2][4]) {
#pragma unroll
        for (int i = 0; i < own_steps; ++i)
            device::mma<T>(sum[i % 2], left[i], right[i].x, right[i].y);
    }
    // Of one part. Lanes 4 r to 4 r + 3 have the parts of row r.
    __device__ __forceinline__ static float part_of(const float (&sum)[2][4]) {
        return (sum[0][0] + sum[0][3]) + (sum[1][0] + sum[1][3]);
    }

  private:
    static constexpr int piece_steps = piece_columns / 32;

    // What lies behind a row's end is not multiplied.
    __device__ __forceinline__ void drop_tail(uint32_t (&left)[4]) const {
        if (tail_ <= 8) left[2] = 0;
        if (tail_ <= 16) left[1] = 0;
        left[3] = 0;
    }

    int last_, tail_, rows_, x_step_;
    const unsigned char* x_;
};

// The sums of a block's rows over this warp's columns: a row's eight sums lie side by side.
// Of a normed row, whose stages are whole rows, two stages at a time;
template <class T>
__device__ __forceinline__ void multiply_normed(const ProductLink& p, const Turn& turn,
                                                const Share& share, const Ring& ring, Place place,
                                                float squares, const ChainMemory& memory) {
    using Own = Multiplier<T, normed_parts, multiplying_warps>;
    const Own multiplier(p, turn.thread, memory.x);
    const int lane = turn.thread % 32, warp = turn.thread / 32;
    float* sums = memory.sums + (lane % 2 * stage_rows + lane / 4) * sums_pitch + warp;
    typename Own::Right right;
    multiplier.load(0, warp, right);
    bool has_told = std::is_same_v<T, device::f16>;
    for (int left_over = share.groups; left_over > 0; left_over -= 2) {
        const bool both = left_over > 1;
        const Place first = place;
        typename Own::Left left[2] = {};
        ring.wait_full(place);
        multiplier.load(ring.at(place.stage), 0, warp, left[0]);
        place.next(ring.stages);
        if (both) {
            ring.wait_full(place);
            multiplier.load(ring.at(place.stage), 0, warp, left[1]);
        }
        float sum[2][2][4] = {};
        Own::add(left[0], right, sum[0]);
        if (both) Own::add(left[1], right, sum[1]);
        if (!has_told) tell_squares(squares, turn.thread, memory.squares);
        has_told = true;
        __syncwarp();
        if (lane == 0) {
            ring.leave(first, 1);
            if (both) ring.leave(place, 1);
        }
        if (both) place.next(ring.stages);
        // Even lanes go on with the first stage, odd ones with the second.
        const float one = Own::part_of(sum[0]), other = Own::part_of(sum[1]);
        float own = lane % 2 == 0 ? one : other;
        own += __shfl_xor_sync(0xffffffffU, lane % 2 == 0 ? other : one, 1);
        own += __shfl_xor_sync(0xffffffffU, own, 2);
        if (lane % 4 < 1 + both) *sums = own;
        sums += 2 * stage_rows * sums_pitch;
    }
}

// and of one that is as it is, whose stages are pieces of rows.
template <class T>
__device__ __forceinline__ void multiply_plain(const ProductLink& p, const Turn& turn,
                                               const Share& share, const Ring& ring, Place place,
                                               const ChainMemory& memory) {
    using Own = Multiplier<T, 1, multiplying_warps>;
    const Own multiplier(p, turn.thread, memory.x);
    const int lane = turn.thread % 32, warp = turn.thread / 32;
    float* sums = memory.sums + lane / 4 * sums_pitch + warp;
    for (int group = 0; group < share.groups; ++group) {
        float sum[2][4] = {};
        for (int piece = 0; piece < p.pieces; piece += 2) {
            const bool both = piece + 1 < p.pieces;
            const Place first = place;
            typename Own::Left left[2] = {};
            typename Own::Right right[2] = {};
            multiplier.load(piece, warp, right[0]);
            if (both) multiplier.load(piece + 1, warp, right[1]);
            ring.wait_full(place);
            multiplier.load(ring.at(place.stage), piece, warp, left[0]);
            place.next(ring.stages);
            if (both) {
                ring.wait_full(place);
                multiplier.load(ring.at(place.stage), piece + 1, warp, left[1]);
            }
            Own::add(left[0], right[0], sum);
            if (both) Own::add(left[1], right[1], sum);
            __syncwarp();
            if (lane == 0) {
                ring.leave(first, 1);
                if (both) ring.leave(place, 1);
            }
            if (both) place.next(ring.stages);
        }
        if (lane % 4 == 0) *sums = Own::part_of(sum);
        sums += stage_rows * sums_pitch;
    }
}

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
        if (kind == Link::Kind::gated) return {__fdividef(low, 1 + expf(-low)) * high, 0};
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

__device__ __forceinline__ float sum_of_row(const float* sums) {
    const float4 low = reinterpret_cast<const float4*>(sums)[0];
    const float4 high = reinterpret_cast<const float4*>(sums)[1];
    return ((low.x + low.y) + (low.z + low.w)) + ((high.x + high.y) + (high.z + high.w));
}

// By whole warps, as neighbours share a word.
template <class T>
__device__ void put_out(Link::Kind kind, const ProductLink& p, const Turn& turn, bool stores,
                        int unit, int local, const Ending<T>& ending, const ChainMemory& memory,
                        float scale) {
    float2 sum{};
    if (stores) {
        const float* const from = memory.sums + local * p.parts * sums_pitch;
        sum.x = sum_of_row(from);
        if (p.parts == 2) sum.y = sum_of_row(from + sums_pitch);
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
// fetch: called by all threads before the link's last meeting.
template <class T, bool Normed, class Fetch>
__device__ __forceinline__ void do_product(const Link& link, const Turn& turn, const Ring& ring,
                                           Place& place, const ChainMemory& memory,
                                           const Fetch& fetch) {
    const Link::Kind kind = link.kind;
    const ProductLink& p = link.product;
    const Share share(p);
    const int local = turn.thread, unit = share.first + local;
    const bool stores = local < share.units, warp_stores = local / 32 * 32 < share.units;
    uint2 weights{};
    if constexpr (Normed) weights = norm_weights<T>(p, turn.thread);
    Ending<T> ending;
    if (stores) ending.prepare(kind, p, unit, turn.position);
    if (share.units > 0) {
        unsigned char* const parts = memory.x + zero_bytes;
        if constexpr (Normed) {
            const float squares = stage_normed<T>(p, turn, weights, parts, memory.squares);
            multiply_normed<T>(p, turn, share, ring, place, squares, memory);
        } else {
            if (p.pieces == 1) {
                stage_plain<T, 1>(p, turn, parts);
            } else {
                stage_plain<T, 5>(p, turn, parts);
            }
            multiply_plain<T>(p, turn, share, ring, place, memory);
        }
    }
    place.advance(share.groups * p.pieces, ring.stages);
    fetch();
    meet();
    if (!warp_stores) return;
    float scale = 1;
    if constexpr (Normed && std::is_same_v<T, device::bf16>)
        scale = norm_scale(memory.squares, p.inverse_depth, p.eps);
    put_out<T>(kind, p, turn, stores, unit, local, ending, memory, scale);
}

// logits: so many rows that a warp takes a stage to itself, and puts out what it has summed.
template <class T, class Fetch>
__device__ __forceinline__ void do_logits(const ProductLink& p, const Turn& turn, const Ring& ring,
                                          Place& place, const ChainMemory& memory,
                                          const Fetch& fetch) {
    const Share share(p);
    const uint2 weights = norm_weights<T>(p, turn.thread);
    const float squares = stage_normed<T>(p, turn, weights, memory.x + zero_bytes, memory.squares);
    if constexpr (std::is_same_v<T, device::bf16>)
        tell_squares(squares, turn.thread, memory.squares);
    meet();
    float scale = 1;
    if constexpr (std::is_same_v<T, device::bf16>)
        scale = norm_scale(memory.squares, p.inverse_depth, p.eps);
    using Whole = Multiplier<T, normed_parts, 1>;
    const Whole multiplier(p, turn.thread, memory.x);
    const int lane = turn.thread % 32, warp = turn.thread / 32, row = lane / 4;
    float* const out = static_cast<float*>(p.out[0]) + share.first + row;
    Place there = place;
    // Whoever waits for a stage to be full has itself read what was in it before, as the barriers'
    // phases want it: so a stage of the ring is always the same warp's.
    int first = -place.stage;
    const auto to_own = [&] {
        there.stage += multiplying_warps;
        if (there.stage < ring.stages) return;
        there.stage = warp;
        there.phase ^= 1;
        first += ring.stages;
    };
    there.stage = warp;
    while (first + there.stage < 0) to_own();
    const int groups = warp < ring.stages ? share.groups : 0;
#pragma unroll 1
    for (; first + there.stage < groups; to_own()) {
        const int group = first + there.stage;
        ring.wait_full(there);
        const unsigned char* const stage = ring.at(there.stage);
        float sum[2][4] = {};
#pragma unroll 1
        for (int step = 0; step * 32 < p.depth; step += own_steps) {
            typename Whole::Left left;
            typename Whole::Right right;
            multiplier.load(stage, 0, step, left);
            multiplier.load(0, step, right);
            Whole::add(left, right, sum);
        }
        __syncwarp();
        if (lane == 0) ring.leave(there, multiplying_warps);
        float own = Whole::part_of(sum);
        own += __shfl_xor_sync(0xffffffffU, own, 1);
        own += __shfl_xor_sync(0xffffffffU, own, 2);
        if (lane % 4 == 0 && group * stage_rows + row < share.rows)
            out[group * stage_rows] = own * scale;
    }
    place.advance(share.groups, ring.stages);
    fetch();
    meet();
}

// next: the link that reads the row, or null. An id outside the table leaves NaN, so that it is
// seen.
template <class T, class Fetch>
__device__ void do_embed(const EmbedLink& e, Link* next, const Fetch& fetch) {
    const int64_t id = __ldcg(e.id);
    const bool known = id >= 0 && id < e.vocab_size;
    const T* const row = static_cast<const T*>(e.table) + (known ? id : 0) * e.stride;
    const Share share(e);
    const int local = static_cast<int>(threadIdx.x);
    if (local < share.units)
        static_cast<T*>(e.hidden)[share.first + local] =
            known ? row[share.first + local] : device::from_float<T>(NAN);
    fetch();
    meet();
    if (threadIdx.x == 0 && next) {
        next->product.x = row;
        if (!known) next->product.eps = NAN;
    }
    meet();
}

}  // namespace lockstep::fused
