// SPDX-License-Identifier: GPL-3.0-or-later
// Attention of one to four rows where the GPU has thread block clusters: a cluster has all query
// heads of one group, each of its warps every so-manieth tile of 16 keys, on the tensor cores, with
// a running maximum (flash decoding). What the warps found is sent to the block that owns the
// dimensions, so that the parts are added up behind one barrier of the cluster, without a way
// through device memory.
//
// Rows of the cache from before this call are on their way before the kernel waits for the one in
// front of it: the position comes by a copy, behind which nothing of an earlier call is left.
#include <cooperative_groups.h>

#include <cmath>

#include "kernels/cuda/attention_running.cuh"
#include "kernels/cuda/fused_attention.h"
#include "kernels/cuda/launch.cuh"

namespace lockstep::fused {
namespace {

namespace cg = cooperative_groups;

constexpr int warps = 4;
constexpr int threads = warps * 32;
constexpr int tile = key_tile;
constexpr int stages = 3;
// Sixteen, where a GPU has such clusters, are slower: few key heads do not want more blocks.
constexpr int cluster_blocks = 8;
constexpr int parts = cluster_blocks * warps;

template <class T>
struct Input {
    HeadRows<T> q, k, v;
    T* attn;
    int64_t attn_stride;
    const int32_t* position;
    float scale_log2;  // scale * log2(e): weights are powers of two
    int ratio;
};

// Eights of dimensions that one block of the cluster adds up.
template <int Dim>
__host__ __device__ constexpr int owned() {
    return (Dim / 8 + cluster_blocks - 1) / cluster_blocks;
}

// What a part, a warp, has found of a head: the highest score and the sum of the weights.
struct End {
    float highest, total;
};

template <class T, int Dim>
struct Memory {
    static constexpr int tile_elements = tile * pitch<Dim>();
    static constexpr size_t tile_bytes = sizeof(T) * tile_elements;

    T* tiles;     // [warps, stages, k and v, tile, pitch]
    float* sums;  // [owned, parts, ratio, 8], from all blocks
    End* ends;    // [parts, ratio], from all blocks

    __device__ Memory(uint4* shared, int ratio)
        : tiles(reinterpret_cast<T*>(shared)),
          sums(reinterpret_cast<float*>(tiles + warps * stages * 2 * tile_elements)),
          ends(reinterpret_cast<End*>(sums + owned<Dim>() * parts * ratio * 8)) {}

    static size_t bytes(size_t ratio) {
        return warps * stages * 2 * tile_bytes +
               parts * ratio * (owned<Dim>() * 8 * sizeof(float) + sizeof(End));
    }
    __device__ T* k(int stage) const {
        return tiles + (threadIdx.x / 32 * stages + stage) * 2 * tile_elements;
    }
    __device__ T* v(int stage) const { return k(stage) + tile_elements; }
};

#if __CUDA_ARCH__ >= 900
// Every block gets all ends, and the sums of the dimensions that it owns.
template <class T, int Dim>
__device__ void send(const Running<T, Dim>& found, const Memory<T, Dim>& memory, int ratio) {
    const cg::cluster_group cluster = cg::this_cluster();
    const int lane = threadIdx.x % 32;
    const int part = static_cast<int>(cluster.block_rank()) * warps + threadIdx.x / 32;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        float total = found.total[half];
        total += __shfl_xor_sync(0xffffffffu, total, 1);
        total += __shfl_xor_sync(0xffffffffu, total, 2);
        const int h = lane / 4 + half * 8;
        if (h >= ratio) continue;
#pragma unroll
        for (int i = 0; i < cluster_blocks / 4; ++i)
            cluster.map_shared_rank(memory.ends, i * 4 + lane % 4)[part * ratio + h] = {
                found.highest[half], total};
#pragma unroll
        for (int d = 0; d < Dim / 8; ++d) {
            float* const to = cluster.map_shared_rank(memory.sums, d % cluster_blocks) +
                              ((d / cluster_blocks * parts + part) * ratio + h) * 8 + lane % 4 * 2;
            *reinterpret_cast<float2*>(to) = {found.sum[d][half * 2], found.sum[d][half * 2 + 1]};
        }
    }
}

template <class T, int Dim>
__device__ void add_up(const Input<T>& in, const Memory<T, Dim>& memory, int rank) {
    for (int item = threadIdx.x; item < owned<Dim>() * in.ratio * 8; item += threads) {
        const int slot = item / (in.ratio * 8), h = item / 8 % in.ratio;
        const int d = (slot * cluster_blocks + rank) * 8 + item % 8;
        if (d >= Dim) return;
        float most = -INFINITY, total = 0, sum = 0;
#pragma unroll
        for (int p = 0; p < parts; ++p) most = fmaxf(most, memory.ends[p * in.ratio + h].highest);
#pragma unroll 16
        for (int p = 0; p < parts; ++p) {
            const End end = memory.ends[p * in.ratio + h];
            const float weight = exp2f(end.highest - most);
            total += weight * end.total;
            sum += weight * memory.sums[((slot * parts + p) * in.ratio + h) * 8 + item % 8];
        }
        in.attn[blockIdx.z * in.attn_stride + (int64_t{blockIdx.y} * in.ratio + h) * Dim + d] =
            device::from_float<T>(sum / total);
    }
}
#endif

template <class T, int Dim>
__global__ __launch_bounds__(threads) void decode_kernel(Input<T> in) {
#if __CUDA_ARCH__ >= 900
    extern __shared__ uint4 shared[];
    const Memory<T, Dim> memory(shared, in.ratio);
    const cg::cluster_group cluster = cg::this_cluster();
    device::let_next_kernel_begin();
    const int rank = static_cast<int>(cluster.block_rank());
    const int first_tile = rank * warps + threadIdx.x / 32;
    const int position = *in.position;
    const int keys = position + static_cast<int>(blockIdx.z) + 1;
    const int tiles = (keys + tile - 1) / tile;
    const CacheRows<T> k_head{in.k.at(0, blockIdx.y), in.k.row_stride};
    const CacheRows<T> v_head{in.v.at(0, blockIdx.y), in.v.row_stride};
    const auto copy = [&](int stage, int index, int from, int to) {
        copy_keys<T, Dim>(k_head, v_head, index, from, to, keys, threadIdx.x % 32, memory.k(stage),
                          memory.v(stage));
    };
#pragma unroll
    for (int stage = 0; stage < stages - 1; ++stage) {
        copy(stage, first_tile + stage * parts, 0, position);
        device::commit_copies();
    }
    auto started = cluster.barrier_arrive();
    device::wait_for_kernel_before();

    // Rows that the kernel before has written, and the zeros behind them.
    bool fresh = false;
#pragma unroll
    for (int stage = 0; stage < stages - 1; ++stage) {
        const int index = first_tile + stage * parts;
        if (index >= tiles || (index + 1) * tile <= position) continue;
        copy(stage, index, position, (index + 1) * tile);
        fresh = true;
    }
    device::commit_copies();
    uint32_t q[Dim / 16][4];
    load_queries<T, Dim>(in.q.at(blockIdx.z, int64_t{blockIdx.y} * in.ratio), in.q.head_stride,
                         in.ratio, threadIdx.x % 32, q);
    if (fresh) device::wait_for_copies<0>();

    Running<T, Dim> running;
    int stage = 0;
    for (int index = first_tile; index < tiles; index += parts) {
        device::wait_for_copies<stages - 2>();
        __syncwarp();
        running.take(q, memory.k(stage), memory.v(stage), index * tile, keys, in.scale_log2);
        __syncwarp();
        const int next = index + (stages - 1) * parts;
        if (next < tiles) copy((stage + stages - 1) % stages, next, 0, (next + 1) * tile);
        device::commit_copies();
        stage = (stage + 1) % stages;
    }
    cluster.barrier_wait(std::move(started));
    send(running, memory, in.ratio);
    cluster.sync();
    add_up(in, memory, rank);
#endif
}

template <class T, int Dim>
Status run(const AttentionArgs& args, CudaStream& stream) {
    const int64_t groups = args.k_cache.shape[1], ratio = args.q.shape[1] / groups;
    const Input<T> in{head_rows<T>(args.q),
                      head_rows<T>(args.k_cache),
                      head_rows<T>(args.v_cache),
                      args.attn.as<T>(),
                      args.attn.stride[0],
                      args.context.position.as<const int32_t>(),
                      args.scale * static_cast<float>(M_LOG2E),
                      static_cast<int>(ratio)};
    Grid grid;
    grid.blocks =
        dim3(cluster_blocks, static_cast<unsigned>(groups), static_cast<unsigned>(args.q.shape[0]));
    grid.cluster = cluster_blocks;
    grid.threads = threads;
    grid.shared_bytes = Memory<T, Dim>::bytes(static_cast<size_t>(ratio));
    grid.overlaps = true;
    return launch("fused attention", decode_kernel<T, Dim>, grid, stream, in);
}

// What a block needs of shared memory.
size_t shared_bytes(int64_t dim, int64_t ratio) {
    const auto heads = static_cast<size_t>(ratio);
    switch (dim) {
        case 32:
            return Memory<device::bf16, 32>::bytes(heads);
        case 64:
            return Memory<device::bf16, 64>::bytes(heads);
        case 80:
            return Memory<device::bf16, 80>::bytes(heads);
        case 96:
            return Memory<device::bf16, 96>::bytes(heads);
        default:
            return Memory<device::bf16, 128>::bytes(heads);
    }
}

}  // namespace

bool decodes(const AttentionArgs& args, const CudaStream& stream) {
    const int64_t dim = args.q.shape[2], ratio = args.q.shape[1] / args.k_cache.shape[1];
    const bool built = dim == 32 || dim == 64 || dim == 80 || dim == 96 || dim == 128;
    return stream.has_clusters() && args.q.dtype != DType::f32 && built && ratio <= 16 &&
           shared_bytes(dim, ratio) <= stream.shared_bytes() && heads_aligned(args.q) &&
           heads_aligned(args.k_cache) && heads_aligned(args.v_cache);
}

Status attention_decode(const AttentionArgs& args, CudaStream& stream) {
    return with_half_type(args.q.dtype, [&]<class T>(T) {
        switch (args.q.shape[2]) {
            case 32:
                return run<T, 32>(args, stream);
            case 64:
                return run<T, 64>(args, stream);
            case 80:
                return run<T, 80>(args, stream);
            case 96:
                return run<T, 96>(args, stream);
            default:
                return run<T, 128>(args, stream);
        }
    });
}

}  // namespace lockstep::fused
