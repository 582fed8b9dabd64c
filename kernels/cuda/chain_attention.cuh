// SPDX-License-Identifier: GPL-3.0-or-later
// Attention's part of a chain: a block takes all query heads of one group against a run of keys.
// Each of eight warps has a tile of 16 keys and values in a stage of the ring that was handed over
// empty; their weights, one softmax for all, go through shared memory, and a warp then multiplies
// them with eight dimensions of all values. Where a group's keys are in several runs, other blocks
// add the parts up.
#pragma once

#include "kernels/cuda/attention_running.cuh"
#include "kernels/cuda/chain_product.cuh"

namespace lockstep::fused {

// A warp's tile of keys and of values.
template <int Dim>
__host__ __device__ constexpr int tile_pair_bytes() {
    return 2 * key_tile * pitch<Dim>() * 2;
}
template <int Dim>
__host__ __device__ constexpr int tiles_in_stage() {
    return most_stage_bytes / tile_pair_bytes<Dim>();
}

// How the keys are dealt out: the same in every block. Each run of keys is one more to add up.
constexpr int most_runs = 16;
struct Deal {
    int group, run, runs, first_tile, end_tile;
    __device__ Deal(const AttentionLink& a, int keys) {
        const int tiles = (keys + key_tile - 1) / key_tile;
        const int most = min(static_cast<int>(gridDim.x) / a.groups, most_runs);
        const int wanted = max(attending_warps, (tiles + most - 1) / most);
        runs = (tiles + wanted - 1) / wanted;
        const int each = (tiles + runs - 1) / runs;
        run = static_cast<int>(blockIdx.x) / a.groups;
        group = static_cast<int>(blockIdx.x) - run * a.groups;
        first_tile = run < runs ? run * each : tiles;
        end_tile = min(first_tile + each, tiles);
    }
    __device__ bool works() const { return first_tile < end_tile; }
};

// In the place of the sums: what the warps of a block tell each other.
constexpr int round_keys = attending_warps * key_tile;
constexpr int weight_pitch = round_keys + 8;
struct AttentionMemory {
    float* highest;     // [attending_warps, 16]
    float* totals;      // [attending_warps, 16]
    int* tiles;         // [attending_warps]: where in the ring a warp's tile is
    uint16_t* weights;  // T [16, weight_pitch]
    __device__ explicit AttentionMemory(float* sums)
        : highest(sums),
          totals(highest + attending_warps * 16),
          tiles(reinterpret_cast<int*>(totals + attending_warps * 16)),
          weights(reinterpret_cast<uint16_t*>(tiles + 16)) {}
};
constexpr int attention_floats = attending_warps * 32 + 16 + 16 * weight_pitch / 2;

// Two neighbours of a head's sum, for whoever reads them next.
template <class T>
__device__ void put_attention(const AttentionLink& a, uint32_t tag, int index, float low,
                              float high) {
    const uint32_t both = device::pack<T>(low, high);
    if (a.out_exchange) send(a.out_exchange + index / 2, both, tag);
    *reinterpret_cast<uint32_t*>(static_cast<T*>(a.attn) + index) = both;
}

// Adds up the runs of keys of the heads that are this block's to add up: from the last block on,
// which has no keys of its own to begin with. A thread has two dimensions.
template <class T, int Dim>
__device__ void add_runs(const AttentionLink& a, const Deal& deal, const Turn& turn) {
    const int heads = a.groups * a.ratio, d = turn.thread * 2;
    if (d >= Dim) return;
    for (int h = static_cast<int>(gridDim.x - 1 - blockIdx.x); h < heads; h += gridDim.x) {
        const auto* const first = a.partials + int64_t{h} * (Dim + 2);
        const int64_t run_words = int64_t{heads} * (Dim + 2);
        float most = -INFINITY, total = 0, low = 0, high = 0;
        constexpr int at_once = 8;
        for (int run = 0; run < deal.runs; run += at_once) {
            TwoWords words[2 * at_once];  // a run's end, and its pair of dimensions
            receive(
                [&](int i) {
                    return first + min(run + i / 2, deal.runs - 1) * run_words +
                           (i % 2 == 0 ? Dim : d);
                },
                turn.tag, words);
#pragma unroll
            for (int i = 0; i < at_once; ++i) {
                if (run + i >= deal.runs) break;
                const TwoWords &end = words[2 * i], &pair = words[2 * i + 1];
                const float highest = __uint_as_float(end.low()), higher = fmaxf(most, highest);
                const float shrink = exp2f(most - higher), weight = exp2f(highest - higher);
                total = total * shrink + weight * __uint_as_float(end.high());
                low = low * shrink + weight * __uint_as_float(pair.low());
                high = high * shrink + weight * __uint_as_float(pair.high());
                most = higher;
            }
        }
        put_attention<T>(a, turn.tag, h * Dim + d, __fdividef(low, total), __fdividef(high, total));
    }
}

// As load_queries, from the exchange: a lane has dimensions c, c + 1 and, from the same words,
// those half a head on. The warp that has the newest key (newest_k not null) takes that along, and
// its value: waiting twice would be one more way through the second-level cache.
template <class T, int Dim>
struct Received {
    static constexpr int half = Dim / 2, pieces = Dim / 16, newest = (Dim + 63) / 64;

    template <bool Newest>
    __device__ static void queries(const AttentionLink& a, const Deal& deal, const Turn& turn,
                                   int upper, T* newest_k, T* newest_v,
                                   uint32_t (&q)[Dim / 16][4]) {
        const int lane = turn.thread % 32, heads = a.groups * a.ratio;
        const int h = min(lane / 4 + upper * 8, a.ratio - 1);
        const uint64_t* const head =
            a.x_exchange + (deal.group * a.ratio + h) * half + lane % 4 * 2;
        const auto place = [&](int round) { return min(round * 64 + lane * 2, Dim - 2); };
        TwoWords words[pieces + (Newest ? newest : 0)];
        receive(
            [&](int i) {
                if (i < pieces) return head + i * 8;
                const int at = place(i - pieces);
                const int of = heads + (at < half ? 0 : a.groups) + deal.group;
                return a.x_exchange + of * half + at % half;
            },
            turn.tag - 1, words);
        const bool is_there = lane / 4 + upper * 8 < a.ratio;
#pragma unroll
        for (int i = 0; i < pieces; ++i) {
            const uint32_t low = words[i].low(), high = words[i].high();
            const int far = i * 8 + half;
            q[i / 2][i % 2 * 2 + upper] = is_there ? __byte_perm(low, high, 0x5410) : 0;
            q[far / 16][far / 8 % 2 * 2 + upper] = is_there ? __byte_perm(low, high, 0x7632) : 0;
        }
        if constexpr (Newest) {
#pragma unroll
            for (int i = 0; i < newest; ++i) {
                const int at = place(i);
                T* const to = (at < half ? newest_k : newest_v) + at % half;
                const uint32_t low = words[pieces + i].low(), high = words[pieces + i].high();
                *reinterpret_cast<uint32_t*>(to) = __byte_perm(low, high, 0x5410);
                *reinterpret_cast<uint32_t*>(to + half) = __byte_perm(low, high, 0x7632);
            }
        }
    }
};

// A warp's queries, its tile of keys and what has been found so far.
template <class T, int Dim>
struct Attending {
    static constexpr int tiles_of_dims = Dim / 8;
    static constexpr int own_dims = (tiles_of_dims + multiplying_warps - 1) / multiplying_warps;

    const int thread;
    uint32_t q[Dim / 16][4] = {};
    float most[2] = {-INFINITY, -INFINITY};  // of heads lane / 4 and eight further on
    float total[2] = {0, 0};
    float sum[own_dims][4] = {};

    // The scores of a warp's tile, times scale_log2; its highest ones are told.
    __device__ void score(const T* k, int first_key, int keys, float scale_log2, float* highest,
                          float (&scores)[2][4]) const {
        const int lane = thread % 32;
        Running<T, Dim>::score(q, k, lane, scores);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float high = -INFINITY;
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                float& one = scores[i / 2][half * 2 + i % 2];
                const bool is_there = first_key + lane % 4 * 2 + i / 2 * 8 + i % 2 < keys;
                one = is_there ? one * scale_log2 : -INFINITY;
                high = fmaxf(high, one);
            }
            high = fmaxf(high, __shfl_xor_sync(0xffffffffU, high, 1));
            high = fmaxf(high, __shfl_xor_sync(0xffffffffU, high, 2));
            if (lane % 4 == 0) highest[lane / 4 + half * 8] = high;
        }
    }

    // The highest score of all `tiles` tiles of a round; what was found before shrinks by that.
    __device__ void raise(const float* highest, int tiles) {
        const int lane = thread % 32;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float high = most[half];
#pragma unroll
            for (int tile = 0; tile < attending_warps; ++tile) {
                if (tile < tiles) high = fmaxf(high, highest[tile * 16 + lane / 4 + half * 8]);
            }
            const float shrink = exp2f(most[half] - high);
            most[half] = high;
            total[half] *= shrink;
#pragma unroll
            for (int d = 0; d < own_dims; ++d) {
                sum[d][half * 2] *= shrink;
                sum[d][half * 2 + 1] *= shrink;
            }
        }
    }

    // The weights of a warp's tile, into column `warp`, and their sums.
    __device__ void weigh(const float (&scores)[2][4], T* weights, float* totals) const {
        const int lane = thread % 32;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int h = lane / 4 + half * 8;
            float all = 0;
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const float low = exp2f(scores[i][half * 2] - most[half]);
                const float high = exp2f(scores[i][half * 2 + 1] - most[half]);
                all += low + high;
                *reinterpret_cast<uint32_t*>(weights + h * weight_pitch + i * 8 + lane % 4 * 2) =
                    device::pack<T>(low, high);
            }
            all += __shfl_xor_sync(0xffffffffU, all, 1);
            all += __shfl_xor_sync(0xffffffffU, all, 2);
            if (lane % 4 == 0) totals[h] = all;
        }
    }

    // Weights times values: this warp's dimensions of all tiles, two tiles at a time.
    __device__ void add_values(const T* weights, const float* totals, const unsigned char* ring,
                               const int* at, int tiles) {
        const int lane = thread % 32, warp = thread / 32;
        const T* const left_row = weights + lane % 16 * weight_pitch + lane / 16 * 8;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
#pragma unroll
            for (int tile = 0; tile < attending_warps; ++tile) {
                if (tile < tiles) total[half] += totals[tile * 16 + lane / 4 + half * 8];
            }
        }
#pragma unroll 1
        for (int tile = 0; tile < tiles; tile += 2) {
            const bool both = tile + 1 < tiles;
            uint32_t left[2][4];
            device::load_matrices(left[0], left_row + tile * key_tile);
            device::load_matrices(left[1], left_row + (both ? tile + 1 : tile) * key_tile);
            const int own = lane / 16 == 1 && both ? tile + 1 : tile;
            const T* const v =
                reinterpret_cast<const T*>(ring + at[own]) + (key_tile + lane % 16) * pitch<Dim>();
#pragma unroll
            for (int d = 0; d < own_dims; ++d) {
                const int dims = d * multiplying_warps + warp;
                if (dims >= tiles_of_dims) break;
                uint32_t right[4];
                device::load_matrices_transposed(right, v + dims * 8);
                device::mma<T>(sum[d], left[0], right[0], right[1]);
                if (both) device::mma<T>(sum[d], left[1], right[2], right[3]);
            }
        }
    }

    __device__ void put(const AttentionLink& a, const Deal& deal, uint32_t tag) const {
        const int lane = thread % 32, warp = thread / 32;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int h = lane / 4 + half * 8;
            if (h >= a.ratio) continue;
            const int head = deal.group * a.ratio + h;
            uint64_t* const own =
                a.partials + (int64_t{deal.run} * a.groups * a.ratio + head) * (Dim + 2);
#pragma unroll
            for (int d = 0; d < own_dims; ++d) {
                const int dim = (d * multiplying_warps + warp) * 8 + lane % 4 * 2;
                if (dim >= Dim) break;
                const float low = sum[d][half * 2], high = sum[d][half * 2 + 1];
                if (deal.runs == 1) {
                    put_attention<T>(a, tag, head * Dim + dim, __fdividef(low, total[half]),
                                     __fdividef(high, total[half]));
                    continue;
                }
                send(own + dim, __float_as_uint(low), tag);
                send(own + dim + 1, __float_as_uint(high), tag);
            }
            if (deal.runs > 1 && warp == 0 && lane % 4 == 0) {
                send(own + Dim, __float_as_uint(most[half]), tag);
                send(own + Dim + 1, __float_as_uint(total[half]), tag);
            }
        }
    }
};

// Rows from before this token are asked for while their turn has not come.
template <class T, int Dim>
__device__ void ask_for_keys(const AttentionLink& a, int position) {
    const int lane = threadIdx.x % 32;
    const Deal deal(a, position + 1);
    const int end = min(deal.end_tile * key_tile, position);
    const T* const k = static_cast<const T*>(a.k) + deal.group * a.k_head_stride;
    const T* const v = static_cast<const T*>(a.v) + deal.group * a.v_head_stride;
    for (int key = deal.first_tile * key_tile + lane; key < end; key += 32) {
#pragma unroll
        for (int d = 0; d < Dim; d += 64) {
            ask_ahead(k + int64_t{key} * a.k_stride + d);
            ask_ahead(v + int64_t{key} * a.v_stride + d);
        }
    }
}

// The stages are handed over as they are, in a block that has keys.
template <class T, int Dim>
__device__ void stream_attention(const AttentionLink& a, int position, Copier& copier) {
    const int lane = threadIdx.x % 32;
    if (!Deal(a, position + 1).works()) return;
    for (int i = 0; i < a.stages; ++i, copier.next()) {
        if (copier.begin(false) && lane == 0) copier.ring.hand_over(copier.place);
    }
}

// The run of keys of this block, in rounds of a tile for each attending warp. By all warps.
template <class T, int Dim>
__device__ void attend(const AttentionLink& a, const Deal& deal, const Turn& turn, const Ring& ring,
                       const Place& place, const AttentionMemory& memory) {
    const int lane = turn.thread % 32, warp = turn.thread / 32, position = turn.position,
              keys = position + 1;
    const CacheRows<T> k_head{static_cast<const T*>(a.k) + deal.group * a.k_head_stride,
                              a.k_stride};
    const CacheRows<T> v_head{static_cast<const T*>(a.v) + deal.group * a.v_head_stride,
                              a.v_stride};
    T* const weights = reinterpret_cast<T*>(memory.weights);
    Place there = place;
    there.advance(min(warp, attending_warps - 1) / tiles_in_stage<Dim>(), ring.stages);
    unsigned char* const own =
        ring.at(there.stage) + warp % tiles_in_stage<Dim>() * tile_pair_bytes<Dim>();
    T *const k = reinterpret_cast<T*>(own), *const v = k + key_tile * pitch<Dim>();
    const auto has_newest = [&](int tile) { return position / key_tile == tile; };
    // Rows from before this token, and zeros behind it.
    const auto copy = [&](int tile) {
        const int to = (tile + 1) * key_tile;
        const int end = a.x_exchange ? position : keys;  // the newest one comes otherwise
        copy_keys<T, Dim>(k_head, v_head, tile, 0, min(end, to), keys, lane, k, v);
        if (has_newest(tile)) copy_keys<T, Dim>(k_head, v_head, tile, keys, to, keys, lane, k, v);
        device::commit_copies();
    };
    const bool attends = warp < attending_warps && deal.first_tile + warp < deal.end_tile;
    if (attends) {
        ring.wait_full(there);
        if (lane == 0) memory.tiles[warp] = static_cast<int>(own - ring.memory);
        copy(deal.first_tile + warp);
    }
    Attending<T, Dim> attending{turn.thread};
    if (attends && !a.x_exchange) {
        load_queries<T, Dim>(
            static_cast<const T*>(a.q) + int64_t{deal.group} * a.ratio * a.q_stride, a.q_stride,
            a.ratio, lane, attending.q);
    }
#pragma unroll 1
    for (int first = deal.first_tile; first < deal.end_tile; first += attending_warps) {
        const int tile = first + warp, tiles = min(attending_warps, deal.end_tile - first);
        const bool has_tile = warp < tiles;
        float scores[2][4] = {};
        if (first != deal.first_tile) {
            meet();  // all have read the round before
            if (has_tile) copy(tile);
        }
        if (has_tile) {
            if (a.x_exchange && (first == deal.first_tile || has_newest(tile))) {
                const int row = (position - tile * key_tile) * pitch<Dim>();
                if (has_newest(tile)) {
                    Received<T, Dim>::template queries<true>(a, deal, turn, 0, k + row, v + row,
                                                             attending.q);
                } else {
                    Received<T, Dim>::template queries<false>(a, deal, turn, 0, k, v, attending.q);
                }
                if (a.ratio > 8) {
                    Received<T, Dim>::template queries<false>(a, deal, turn, 1, k, v, attending.q);
                } else {
#pragma unroll
                    for (int d = 0; d < Dim / 16; ++d) attending.q[d][1] = attending.q[d][3] = 0;
                }
            }
            device::wait_for_copies<0>();
            __syncwarp();
            attending.score(k, tile * key_tile, keys, a.scale_log2, memory.highest + warp * 16,
                            scores);
        }
        meet();
        attending.raise(memory.highest, tiles);
        if (has_tile) attending.weigh(scores, weights + warp * key_tile, memory.totals + warp * 16);
        meet();
        attending.add_values(weights, memory.totals, ring.memory, memory.tiles, tiles);
    }
    attending.put(a, deal, turn.tag);
}

template <class T, int Dim, class Fetch>
__device__ __forceinline__ void do_attention(const AttentionLink& a, const Turn& turn,
                                             const Ring& ring, Place& place, float* sums,
                                             const Fetch& fetch) {
    const Deal deal(a, turn.position + 1);
    meet();
    fetch();
    if (deal.works()) {
        attend<T, Dim>(a, deal, turn, ring, place, AttentionMemory(sums));
        // What was stored in the ring comes before what is copied there next.
#if __CUDA_ARCH__ >= 900
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
    }
    meet();
    const int lane = turn.thread % 32;
    if (deal.works()) {
        if (turn.thread / 32 == multiplying_warps - 1 && lane < a.stages) {
            Place own = place;
            own.advance(lane, ring.stages);
            ring.wait_full(own);
            ring.leave(own, multiplying_warps);
        }
        place.advance(a.stages, ring.stages);
    }
    if (deal.runs > 1) add_runs<T, Dim>(a, deal, turn);
}

}  // namespace lockstep::fused
