// SPDX-License-Identifier: GPL-3.0-or-later
// Attention of many rows on the tensor cores: a block has 64 rows of one head and walks over the
// keys, 64 at a time, with a running maximum (flash attention); scores and sums are f32, weights
// are rounded before they meet the values, as the reference rounds them.
#include <cmath>

#include "kernels/cuda/fused_attention.cuh"
#include "kernels/cuda/fused_attention.h"
#include "kernels/cuda/launch.cuh"

namespace lockstep::fused {
namespace {

constexpr int threads = 128;
constexpr int tile = 64;  // rows of a block, and keys at a time
constexpr int key_blocks = tile / 8;

template <class T>
struct Input {
    HeadRows<T> q, k, v;
    T* attn;
    int64_t attn_stride;
    const int32_t* position;
    float scale_log2;  // scale * log2(e): weights are powers of two
    int rows, ratio, dim;
    bool aligned;
};

// Rows [first, first + tile) of one head; zeros where there is no row or no dimension.
template <class T, int Dim>
__device__ void load_tile(const HeadRows<T>& from, int head, int first, int rows, int dim,
                          bool aligned, T* to) {
    constexpr int pieces = Dim / 8;
    const T* base = from.data + head * from.head_stride;
    for (int index = threadIdx.x; index < tile * pieces; index += threads) {
        const int row = first + index / pieces, column = index % pieces * 8;
        T* target = to + index / pieces * pitch<Dim>() + column;
        const T* source = base + row * from.row_stride + column;
        if (aligned) {
            const bool there = row < rows && column < dim;
            device::copy_16_async(target, there ? source : base, there ? 16 : 0);
            continue;
        }
        for (int e = 0; e < 8; ++e) {
            target[e] = row < rows && column + e < dim ? source[e] : device::from_float<T>(0);
        }
    }
}

// Sixteen rows of a warp: what it has seen of the keys so far. A thread has two rows of them,
// lane / 4 and eight further on.
template <int Dim>
struct Running {
    float highest[2] = {-INFINITY, -INFINITY};
    float total[2] = {0, 0};
    float sum[Dim / 8][4] = {};
};

template <class T, int Dim>
__device__ void score(const T* q, const T* k, float (&scores)[key_blocks][4]) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
#pragma unroll
    for (int d = 0; d < Dim / 16; ++d) {
        uint32_t left[4];
        device::load_matrices(left,
                              q + (warp * 16 + lane % 16) * pitch<Dim>() + d * 16 + lane / 16 * 8);
#pragma unroll
        for (int n = 0; n < key_blocks / 2; ++n) {
            uint32_t right[4];
            const int key = n * 16 + lane / 16 * 8 + lane % 8;
            device::load_matrices(right, k + key * pitch<Dim>() + d * 16 + lane / 8 % 2 * 8);
            device::mma<T>(scores[2 * n], left, right[0], right[1]);
            device::mma<T>(scores[2 * n + 1], left, right[2], right[3]);
        }
    }
}

// Scores become weights relative to the new maximum; what was summed before is scaled to it.
template <int Dim>
__device__ void weigh(float scale_log2, int first_key, const int (&last_key)[2],
                      float (&scores)[key_blocks][4], Running<Dim>& running) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        float highest = running.highest[half];
#pragma unroll
        for (int n = 0; n < key_blocks; ++n) {
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                float& score = scores[n][half * 2 + e];
                const int key = first_key + n * 8 + lane % 4 * 2 + e;
                score = key <= last_key[half] ? score * scale_log2 : -INFINITY;
                highest = fmaxf(highest, score);
            }
        }
        highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, 1));
        highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, 2));
        const float base = highest == -INFINITY ? 0 : highest;
        const float shrink = exp2f(running.highest[half] - base);
        running.highest[half] = highest;
        float total = 0;
#pragma unroll
        for (int n = 0; n < key_blocks; ++n) {
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                float& score = scores[n][half * 2 + e];
                score = exp2f(score - base);
                total += score;
            }
        }
        running.total[half] = running.total[half] * shrink + total;
#pragma unroll
        for (int d = 0; d < Dim / 8; ++d) {
            running.sum[d][half * 2] *= shrink;
            running.sum[d][half * 2 + 1] *= shrink;
        }
    }
}

template <class T, int Dim>
__device__ void add_values(const float (&weights)[key_blocks][4], const T* v,
                           Running<Dim>& running) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int k = 0; k < key_blocks / 2; ++k) {
        const uint32_t left[4] = {device::pack<T>(weights[2 * k][0], weights[2 * k][1]),
                                  device::pack<T>(weights[2 * k][2], weights[2 * k][3]),
                                  device::pack<T>(weights[2 * k + 1][0], weights[2 * k + 1][1]),
                                  device::pack<T>(weights[2 * k + 1][2], weights[2 * k + 1][3])};
        const int key = k * 16 + lane % 16;
#pragma unroll
        for (int d = 0; d < Dim / 16; ++d) {
            uint32_t right[4];
            device::load_matrices_transposed(right,
                                             v + key * pitch<Dim>() + d * 16 + lane / 16 * 8);
            device::mma<T>(running.sum[2 * d], left, right[0], right[1]);
            device::mma<T>(running.sum[2 * d + 1], left, right[2], right[3]);
        }
    }
}

template <class T, int Dim>
__device__ void store(const Input<T>& in, int head, int first_row, const Running<Dim>& running) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        float total = running.total[half];
        total += __shfl_xor_sync(0xffffffffu, total, 1);
        total += __shfl_xor_sync(0xffffffffu, total, 2);
        const int row = first_row + warp * 16 + lane / 4 + half * 8;
        if (row >= in.rows) continue;
        T* out = in.attn + row * in.attn_stride + static_cast<int64_t>(head) * in.dim;
#pragma unroll
        for (int d = 0; d < Dim / 8; ++d) {
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                const int column = d * 8 + lane % 4 * 2 + e;
                if (column < in.dim)
                    out[column] = device::from_float<T>(running.sum[d][half * 2 + e] / total);
            }
        }
    }
}

template <class T, int Dim>
__global__ __launch_bounds__(threads) void tiles_kernel(Input<T> in) {
    extern __shared__ uint4 shared[];
    constexpr int elements = tile * pitch<Dim>();
    T* const q = reinterpret_cast<T*>(shared);
    T* const keys = q + elements;           // two tiles
    T* const values = keys + 2 * elements;  // two tiles
    device::let_next_kernel_begin();
    device::wait_for_kernel_before();
    // The last rows have the most keys: they begin first.
    const int first_row = (gridDim.x - 1 - blockIdx.x) * tile;
    const int head = blockIdx.y, group = head / in.ratio;
    const int position = *in.position;
    const int all_keys = position + in.rows;
    const int keys_seen = min(all_keys, position + first_row + tile);
    const int tiles = (keys_seen + tile - 1) / tile;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int row = first_row + warp * 16 + lane / 4;
    const int last_key[2] = {position + row, position + row + 8};
    const auto load = [&](int index) {
        if (index < tiles) {
            load_tile<T, Dim>(in.k, group, index * tile, all_keys, in.dim, in.aligned,
                              keys + index % 2 * elements);
            load_tile<T, Dim>(in.v, group, index * tile, all_keys, in.dim, in.aligned,
                              values + index % 2 * elements);
        }
        device::commit_copies();
    };
    load_tile<T, Dim>(in.q, head, first_row, in.rows, in.dim, in.aligned, q);
    load(0);
    Running<Dim> running;
    for (int index = 0; index < tiles; ++index) {
        load(index + 1);
        device::wait_for_copies<1>();
        __syncthreads();
        float scores[key_blocks][4] = {};
        score<T, Dim>(q, keys + index % 2 * elements, scores);
        weigh<Dim>(in.scale_log2, index * tile, last_key, scores, running);
        add_values<T, Dim>(scores, values + index % 2 * elements, running);
        __syncthreads();  // before this pair of tiles is overwritten
    }
    device::wait_for_copies<0>();
    store<T, Dim>(in, head, first_row, running);
}

template <class T, int Dim>
Status run(const AttentionArgs& args, CudaStream& stream) {
    const int64_t rows = args.q.shape[0], heads = args.q.shape[1];
    const Input<T> in{
        head_rows<T>(args.q),
        head_rows<T>(args.k_cache),
        head_rows<T>(args.v_cache),
        args.attn.as<T>(),
        args.attn.stride[0],
        args.context.position.as<const int32_t>(),
        static_cast<float>(args.scale * 1.4426950408889634),
        static_cast<int>(rows),
        static_cast<int>(heads / args.k_cache.shape[1]),
        static_cast<int>(args.q.shape[2]),
        heads_aligned(args.q) && heads_aligned(args.k_cache) && heads_aligned(args.v_cache)};
    Grid grid;
    grid.blocks = dim3(blocks_for(rows, tile), static_cast<unsigned>(heads));
    grid.threads = threads;
    constexpr size_t bytes = sizeof(T) * 5 * tile * pitch<Dim>();
    static_assert(bytes <= least_shared_bytes);
    grid.shared_bytes = bytes;
    grid.overlaps = true;
    return launch("fused attention", tiles_kernel<T, Dim>, grid, stream, in);
}

}  // namespace

Status attention_tiles(const AttentionArgs& args, CudaStream& stream) {
    const int64_t dim = args.q.shape[2];
    return with_half_type(args.q.dtype, [&]<class T>(T) {
        if (dim <= 32) return run<T, 32>(args, stream);
        if (dim <= 64) return run<T, 64>(args, stream);
        if (dim <= 96) return run<T, 96>(args, stream);
        return run<T, 128>(args, stream);
    });
}

}  // namespace lockstep::fused
