// SPDX-License-Identifier: GPL-3.0-or-later
// Attention of a few rows: the keys are split over blocks, each of which sees all query heads of
// one group, so that the cache is read once. Scores, weights and sums are f32. The number of blocks
// depends on the cache's size, not on the position, so that decode can be replayed: blocks beyond
// the position leave at once.
#include <algorithm>
#include <cmath>

#include "kernels/cuda/fused_attention.cuh"
#include "kernels/cuda/fused_attention.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/matvec.cuh"

namespace lockstep::fused {
namespace {

constexpr int threads = 256;
constexpr int warps = threads / 32;
constexpr int heads_at_once = 8;  // query heads of a group in one block
constexpr int lanes_per_key = 8;
constexpr int most_dim = 128;
constexpr int most_shares =
    4;  // of the keys, where a row has fewer dimensions than a block threads

template <class T>
struct Input {
    HeadRows<T> q, k, v;
    T* attn;
    int64_t attn_stride;
    const int32_t* position;
    int first_row;  // of this launch's rows
    float scale;
    int heads, ratio, head_blocks, dim;
    int chunk, splits;
    bool aligned, q_aligned;  // 16 bytes at a time: the keys, the queries
    float* partials;          // [rows, heads, splits, part_stride]: sums, highest, total
    int part_stride;          // dim and two, on 16-byte borders
    unsigned* tickets;        // [rows, groups, head_blocks]
};

// What a block works on.
struct Place {
    int split, group, head, heads, row, ticket;  // head: the first of `heads`
};

template <class T>
__device__ Place place_of(const Input<T>& in) {
    Place place;
    place.split = blockIdx.x;
    place.group = blockIdx.y / in.head_blocks;
    const int block = blockIdx.y % in.head_blocks;
    place.head = place.group * in.ratio + block * heads_at_once;
    place.heads = min(heads_at_once, in.ratio - block * heads_at_once);
    place.row = blockIdx.z + in.first_row;
    place.ticket = blockIdx.z * gridDim.y + blockIdx.y;
    return place;
}

// A lane's share of a key: dimensions lane * 8 to + 7, and the same 64 further on.
constexpr int pieces = most_dim / (lanes_per_key * 8);
constexpr int groups_of_lanes = threads / lanes_per_key;
constexpr int keys_at_once = 2;

// `count` values from dimension `first` on, zeros behind the last.
template <class T>
__device__ void load_piece(const T* row, int first, int dim, bool aligned, float (&value)[8]) {
    if (aligned && first < dim) {
        device::expand(device::load_eight(row + first), value);
        return;
    }
#pragma unroll
    for (int e = 0; e < 8; ++e)
        value[e] = first + e < dim ? device::to_float(row[first + e]) : 0.0f;
}

// scores[key][h], eight lanes a key, four keys at a time so that q is read once for them.
template <class T, int Heads>
__device__ void score(const Input<T>& in, const Place& place, const float* q, float* scores,
                      int first, int count) {
    const int lane = threadIdx.x % lanes_per_key;
    for (int base = 0; base < count; base += groups_of_lanes * keys_at_once) {
        const int key_0 = base + threadIdx.x / lanes_per_key;
        float sum[keys_at_once][Heads] = {};
#pragma unroll
        for (int piece = 0; piece < pieces; ++piece) {
            const int d = (piece * lanes_per_key + lane) * 8;
            if (piece * lanes_per_key * 8 >= in.dim) break;
            float k[keys_at_once][8];
#pragma unroll
            for (int j = 0; j < keys_at_once; ++j) {
                const int key = min(key_0 + j * groups_of_lanes, count - 1);
                load_piece(in.k.at(first + key, place.group), d, in.dim, in.aligned, k[j]);
            }
#pragma unroll
            for (int h = 0; h < Heads; ++h) {
                const float4 low = *reinterpret_cast<const float4*>(q + h * most_dim + d);
                const float4 high = *reinterpret_cast<const float4*>(q + h * most_dim + d + 4);
#pragma unroll
                for (int j = 0; j < keys_at_once; ++j) {
                    sum[j][h] += k[j][0] * low.x + k[j][1] * low.y + k[j][2] * low.z +
                                 k[j][3] * low.w + k[j][4] * high.x + k[j][5] * high.y +
                                 k[j][6] * high.z + k[j][7] * high.w;
                }
            }
        }
#pragma unroll
        for (int j = 0; j < keys_at_once; ++j) {
            const int key = key_0 + j * groups_of_lanes;
#pragma unroll
            for (int h = 0; h < Heads; ++h) {
#pragma unroll
                for (int offset = lanes_per_key / 2; offset > 0; offset /= 2)
                    sum[j][h] += __shfl_xor_sync(0xffffffffu, sum[j][h], offset);
                if (lane == h && key < count) scores[key * Heads + h] = sum[j][h];
            }
        }
    }
}

// Scores become e^(score - highest); a warp a head.
template <int Heads>
__device__ void exponentiate(int count, float* scores, float* highest, float* total) {
    const int lane = threadIdx.x % 32;
    for (int h = threadIdx.x / 32; h < Heads; h += warps) {
        float most = -INFINITY, sum = 0;
        for (int i = lane; i < count; i += 32) most = fmaxf(most, scores[i * Heads + h]);
        most = device::warp_max(most);
        for (int i = lane; i < count; i += 32) {
            const float weight = expf(scores[i * Heads + h] - most);
            scores[i * Heads + h] = weight;
            sum += weight;
        }
        sum = device::warp_sum(sum);
        if (lane == 0) {
            highest[h] = most;
            total[h] = sum;
        }
    }
}

// sums[share][h][d]: the values of every shares-th key, weighed; a thread has one dimension.
template <class T, int Heads>
__device__ int weigh(const Input<T>& in, const Place& place, const float* scores, float* sums,
                     int first, int count) {
    const int shares = min(threads / in.dim, most_shares);
    const int d = threadIdx.x % in.dim, share = threadIdx.x / in.dim;
    if (share < shares) {
        float sum[Heads] = {};
        const T* v = in.v.at(first, place.group) + d;
#pragma unroll 16
        for (int key = share; key < count; key += shares) {
            const float value = device::to_float(v[key * in.v.row_stride]);
#pragma unroll
            for (int h = 0; h < Heads; ++h) sum[h] += scores[key * Heads + h] * value;
        }
#pragma unroll
        for (int h = 0; h < Heads; ++h) sums[(share * Heads + h) * most_dim + d] = sum[h];
    }
    return shares;
}

template <class T>
__device__ void store(const Input<T>& in, const Place& place, int h, int d, float value) {
    in.attn[place.row * in.attn_stride + int64_t{place.head + h} * in.dim + d] =
        device::from_float<T>(value);
}

// q of the block's heads, scaled; zeros where there is no head or dimension.
template <class T, int Heads>
__device__ void stage_queries(const Input<T>& in, const Place& place, float* q) {
    constexpr int per_head = most_dim / 8;
#pragma unroll
    for (int turn = 0; turn < (Heads * per_head + threads - 1) / threads; ++turn) {
        const int item = threadIdx.x + turn * threads;
        if (item >= Heads * per_head) break;
        const int h = item / per_head, d = item % per_head * 8;
        float value[8] = {};
        if (h < place.heads)
            load_piece(in.q.at(place.row, place.head + h), d, in.dim, in.q_aligned, value);
#pragma unroll
        for (int e = 0; e < 8; ++e) q[h * most_dim + d + e] = value[e] * in.scale;
    }
}

template <class T>
__device__ const float* part_of(const Input<T>& in, const Place& place, int h, int split) {
    const int64_t head = int64_t{blockIdx.z} * in.heads + place.head + h;
    return in.partials + (head * in.splits + split) * in.part_stride;
}

// The last block of a group's adds the parts up. `weights` [parts, heads] is room for what each
// part counts, in place of the scores, so many parts at a time.
template <class T, int Heads>
__device__ void add_up(const Input<T>& in, const Place& place, int parts, float* weights,
                       float* total) {
    const int lane = threadIdx.x % 32;
    for (int h = threadIdx.x / 32; h < place.heads; h += warps) {
        float most = -INFINITY, sum = 0;
        for (int s = lane; s < parts; s += 32)
            most = fmaxf(most, __ldcg(part_of(in, place, h, s) + in.dim));
        most = device::warp_max(most);
        for (int s = lane; s < parts; s += 32) {
            const float* part = part_of(in, place, h, s);
            const float weight = expf(__ldcg(part + in.dim) - most);
            weights[s * Heads + h] = weight;
            sum += weight * __ldcg(part + in.dim + 1);
        }
        sum = device::warp_sum(sum);
        if (lane == 0) total[h] = sum;
    }
    __syncthreads();
    const int fours = (in.dim + 3) / 4;
    for (int item = threadIdx.x; item < place.heads * fours; item += threads) {
        const int h = item / fours, d = item % fours * 4;
        float4 sum{};
#pragma unroll 8
        for (int s = 0; s < parts; ++s) {
            const float4 part =
                __ldcg(reinterpret_cast<const float4*>(part_of(in, place, h, s) + d));
            const float weight = weights[s * Heads + h];
            sum.x += weight * part.x;
            sum.y += weight * part.y;
            sum.z += weight * part.z;
            sum.w += weight * part.w;
        }
        const float values[4] = {sum.x, sum.y, sum.z, sum.w};
#pragma unroll
        for (int e = 0; e < 4; ++e) {
            if (d + e < in.dim) store(in, place, h, d + e, values[e] / total[h]);
        }
    }
}

template <class T, int Heads>
__global__ __launch_bounds__(threads) void split_kernel(Input<T> in) {
    extern __shared__ float4 scores_memory[];  // [chunk, Heads]
    float* const scores = reinterpret_cast<float*>(scores_memory);
    __shared__ float4 q_memory[Heads * most_dim / 4];
    __shared__ float sums[most_shares * Heads * most_dim];
    __shared__ float highest[Heads], total[Heads];
    __shared__ bool is_last;
    float* const q = reinterpret_cast<float*>(q_memory);
    device::let_next_kernel_begin();
    const Place place = place_of(in);
    // The position is set before the first step: it need not wait.
    const int keys = *in.position + place.row + 1;
    const int first = place.split * in.chunk, count = min(in.chunk, keys - first);
    device::wait_for_kernel_before();
    if (count <= 0) return;
    stage_queries<T, Heads>(in, place, q);
    __syncthreads();
    score<T, Heads>(in, place, q, scores, first, count);
    __syncthreads();
    exponentiate<Heads>(count, scores, highest, total);
    __syncthreads();
    const int shares = weigh<T, Heads>(in, place, scores, sums, first, count);
    __syncthreads();

    const int parts = (keys + in.chunk - 1) / in.chunk;
    for (int i = threadIdx.x; i < place.heads * in.dim; i += threads) {
        const int h = i / in.dim, d = i % in.dim;
        float sum = 0;
        for (int share = 0; share < shares; ++share)
            sum += sums[(share * Heads + h) * most_dim + d];
        if (parts == 1) {
            store(in, place, h, d, sum / total[h]);
            continue;
        }
        float* part = const_cast<float*>(part_of(in, place, h, place.split));
        part[d] = sum;
        if (d == 0) {
            part[in.dim] = highest[h];
            part[in.dim + 1] = total[h];
        }
    }
    if (parts == 1) return;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0)
        is_last = atomicAdd(in.tickets + place.ticket, 1u) == static_cast<unsigned>(parts) - 1;
    __syncthreads();
    if (!is_last) return;
    __threadfence();
    if (threadIdx.x == 0) in.tickets[place.ticket] = 0;
    add_up<T, Heads>(in, place, parts, scores, total);
}

// One row is replayed at any position: its split is that of the whole cache.
int64_t keys_planned(const AttentionArgs& args) {
    const int64_t rows = args.q.shape[0];
    return rows == 1 ? args.k_cache.shape[0] : args.context.first_row + rows;
}

int64_t chunk_of(int64_t keys, int64_t rows) {
    constexpr int64_t least = 64, most = 1024;  // of 8 heads: 32 KiB of shared memory
    const int64_t parts = rows == 1 ? 128 : 4;
    const int64_t even = (keys + parts - 1) / parts;
    return std::clamp((even + least - 1) / least * least, least, most);
}

template <class T>
Status run(const AttentionArgs& args, CudaStream& stream) {
    const int64_t rows = args.q.shape[0], heads = args.q.shape[1], dim = args.q.shape[2];
    const int64_t groups = args.k_cache.shape[1], ratio = heads / groups;
    const int64_t head_blocks = (ratio + heads_at_once - 1) / heads_at_once;
    const int64_t keys = keys_planned(args);
    const int64_t chunk = chunk_of(keys, rows), splits = (keys + chunk - 1) / chunk;
    const int64_t part_stride = (dim + 3) / 4 * 4 + 4;
    const auto part_bytes = static_cast<size_t>(heads * splits * part_stride) * sizeof(float);
    const int64_t at_once = std::clamp<int64_t>(
        static_cast<int64_t>((size_t{64} << 20) / part_bytes), 1, std::min<int64_t>(rows, 4096));
    LOCKSTEP_ASSIGN(void* const partials,
                    stream.room(CudaStream::partials, part_bytes * static_cast<size_t>(at_once)));
    const auto tickets_wanted = static_cast<size_t>(at_once * groups * head_blocks);
    LOCKSTEP_ASSIGN(void* const tickets,
                    stream.room(CudaStream::tickets, tickets_wanted * sizeof(unsigned)));
    Input<T> in{head_rows<T>(args.q),
                head_rows<T>(args.k_cache),
                head_rows<T>(args.v_cache),
                args.attn.as<T>(),
                args.attn.stride[0],
                args.context.position.as<const int32_t>(),
                0,
                args.scale,
                static_cast<int>(heads),
                static_cast<int>(ratio),
                static_cast<int>(head_blocks),
                static_cast<int>(dim),
                static_cast<int>(chunk),
                static_cast<int>(splits),
                heads_aligned(args.k_cache),
                heads_aligned(args.q),
                static_cast<float*>(partials),
                static_cast<int>(part_stride),
                static_cast<unsigned*>(tickets)};
    Grid grid;
    grid.threads = threads;
    const int64_t padded = ratio >= 5 ? 8 : ratio >= 3 ? 4 : ratio;
    grid.shared_bytes = static_cast<size_t>(padded * std::max(chunk, splits)) * sizeof(float);
    grid.overlaps = true;
    // So many rows at a time that their parts fit the room.
    const char* const name = "fused attention";
    for (int64_t first = 0; first < rows; first += at_once) {
        in.first_row = static_cast<int>(first);
        grid.blocks =
            dim3(static_cast<unsigned>(splits), static_cast<unsigned>(groups * head_blocks),
                 static_cast<unsigned>(std::min(at_once, rows - first)));
        LOCKSTEP_TRY(padded == 8   ? launch(name, split_kernel<T, 8>, grid, stream, in)
                     : padded == 4 ? launch(name, split_kernel<T, 4>, grid, stream, in)
                     : padded == 2 ? launch(name, split_kernel<T, 2>, grid, stream, in)
                                   : launch(name, split_kernel<T, 1>, grid, stream, in));
    }
    return {};
}

}  // namespace

Status attention_split(const AttentionArgs& args, CudaStream& stream) {
    return with_type(args.q.dtype, [&]<class T>(T) { return run<T>(args, stream); });
}

}  // namespace lockstep::fused
