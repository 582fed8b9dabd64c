// SPDX-License-Identifier: GPL-3.0-or-later
// Products of many rows (prefill) on the tensor cores, with our own ends: where weight rows come
// from and what becomes of a result are the step's.
//
// mma.sync with a four-stage cp.async pipeline rather than wgmma or cuBLASLt: it runs on every
// architecture from sm_80 on from one source, needs no library, and lets a step keep two results
// that belong together in one thread's registers: weight rows are interleaved eight by eight when
// they are read (gate with up, dimension i with i + D/2), so that SiLU and rotation need no second
// pass. wgmma is what would make it faster on Hopper.
#pragma once

#include "kernels/cuda/launch.cuh"
#include "kernels/tensor.h"

namespace lockstep::gemm {

constexpr int depth_step = 32;  // elements of the inner dimension in one stage
constexpr int stages = 4;
constexpr int chunks = depth_step / 8;  // of 16 bytes

template <class T>
struct Input {
    const T* x;
    int64_t stride;
    int rows;
    int depth;
    int columns;   // of the product, as Source numbers them
    bool aligned;  // x and the weights can be read 16 bytes at a time
};

// Sixteen-byte pieces of a row change places from row pair to row pair, so that neither copies nor
// ldmatrix meet in one bank.
__device__ __forceinline__ int swizzled(int row, int chunk) {
    return row * depth_step + ((chunk ^ ((row >> 1) & (chunks - 1))) * 8);
}

// A block's rows of one operand on their way to shared memory.
template <class T, int Rows, int Threads>
struct Loader {
    static constexpr int pieces = (Rows * chunks + Threads - 1) / Threads;
    const T* row[pieces];
    int chunk[pieces];
    int place[pieces];

    template <class RowOf>
    __device__ void begin(const RowOf& row_of) {
#pragma unroll
        for (int i = 0; i < pieces; ++i) {
            const int index = threadIdx.x + i * Threads;
            chunk[i] = -1;  // more threads than pieces
            if (index >= Rows * chunks) continue;
            row[i] = row_of(index / chunks);
            chunk[i] = index % chunks;
            place[i] = swizzled(index / chunks, chunk[i]);
        }
    }
    __device__ void load(T* stage, int depth_first, int depth, bool aligned,
                         const T* anywhere) const {
#pragma unroll
        for (int i = 0; i < pieces; ++i) {
            if (chunk[i] < 0) continue;
            const int k = depth_first + chunk[i] * 8;
            if (aligned) {
                const bool there = row[i] && k < depth;
                device::copy_16_async(stage + place[i], there ? row[i] + k : anywhere,
                                      there ? 16 : 0);
                continue;
            }
            for (int e = 0; e < 8; ++e) {
                stage[place[i] + e] =
                    row[i] && k + e < depth ? row[i][k + e] : device::from_float<T>(0);
            }
        }
    }
};

// Source: const T* row(int column), null where there is none.
// Store: void operator()(int64_t row, int column, float low, float high), the results of `column`
// and of `column + 8`; column / 8 is even.
template <class T, int BlockM, int BlockN, int WarpsM, int WarpsN, class Source, class Store>
__global__ __launch_bounds__(WarpsM* WarpsN * 32) void kernel(Input<T> in, Source source,
                                                              Store store) {
    constexpr int threads = WarpsM * WarpsN * 32;
    constexpr int tiles_m = BlockM / WarpsM / 16, pairs_n = BlockN / WarpsN / 16;
    constexpr int stage_elements = (BlockM + BlockN) * depth_step;
    extern __shared__ uint4 shared[];
    T* const memory = reinterpret_cast<T*>(shared);
    const int row_0 = blockIdx.x * BlockM, column_0 = blockIdx.y * BlockN;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int warp_row = warp % WarpsM * (BlockM / WarpsM);
    const int warp_column = warp / WarpsM * (BlockN / WarpsN);

    Loader<T, BlockM, threads> a;
    Loader<T, BlockN, threads> b;
    a.begin([&](int row) {
        return row_0 + row < in.rows ? in.x + (row_0 + row) * in.stride : nullptr;
    });
    b.begin([&](int column) {
        return column_0 + column < in.columns ? source.row(column_0 + column) : nullptr;
    });
    device::let_next_kernel_begin();
    device::wait_for_kernel_before();
    const int steps = (in.depth + depth_step - 1) / depth_step;
    const auto load = [&](int step) {
        if (step < steps) {
            T* const stage = memory + step % stages * stage_elements;
            a.load(stage, step * depth_step, in.depth, in.aligned, in.x);
            b.load(stage + BlockM * depth_step, step * depth_step, in.depth, in.aligned, in.x);
        }
        device::commit_copies();
    };
    float sum[tiles_m][2 * pairs_n][4] = {};
#pragma unroll
    for (int step = 0; step < stages - 1; ++step) load(step);
    for (int step = 0; step < steps; ++step) {
        device::wait_for_copies<stages - 2>();
        __syncthreads();
        load(step + stages - 1);
        const T* const rows = memory + step % stages * stage_elements;
        const T* const weights = rows + BlockM * depth_step;
#pragma unroll
        for (int k = 0; k < depth_step / 16; ++k) {
            uint32_t left[tiles_m][4];
#pragma unroll
            for (int m = 0; m < tiles_m; ++m) {
                const int row = warp_row + m * 16 + lane % 16;
                device::load_matrices(left[m], rows + swizzled(row, k * 2 + lane / 16));
            }
#pragma unroll
            for (int n = 0; n < pairs_n; ++n) {
                uint32_t right[4];
                const int column = warp_column + n * 16 + lane / 16 * 8 + lane % 8;
                device::load_matrices(right, weights + swizzled(column, k * 2 + lane / 8 % 2));
#pragma unroll
                for (int m = 0; m < tiles_m; ++m) {
                    device::mma<T>(sum[m][2 * n], left[m], right[0], right[1]);
                    device::mma<T>(sum[m][2 * n + 1], left[m], right[2], right[3]);
                }
            }
        }
    }
    device::wait_for_copies<0>();
#pragma unroll
    for (int m = 0; m < tiles_m; ++m) {
#pragma unroll
        for (int n = 0; n < pairs_n; ++n) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int row = row_0 + warp_row + m * 16 + lane / 4 + i / 2 * 8;
                const int column = column_0 + warp_column + n * 16 + lane % 4 * 2 + i % 2;
                if (row < in.rows) store(row, column, sum[m][2 * n][i], sum[m][2 * n + 1][i]);
            }
        }
    }
}

template <class T, int BlockM, int BlockN, int WarpsM, int WarpsN, class Source, class Store>
Status run_tiled(const char* name, const Input<T>& in, const Source& source, const Store& store,
                 CudaStream& stream) {
    Grid grid;
    grid.blocks = dim3(blocks_for(in.rows, BlockM), blocks_for(in.columns, BlockN));
    grid.threads = WarpsM * WarpsN * 32;
    constexpr size_t bytes = sizeof(T) * stages * (BlockM + BlockN) * depth_step;
    static_assert(bytes <= least_shared_bytes);
    grid.shared_bytes = bytes;
    grid.overlaps = true;
    return launch(name, kernel<T, BlockM, BlockN, WarpsM, WarpsN, Source, Store>, grid, stream, in,
                  source, store);
}

template <class T, class Source, class Store>
Status run(const char* name, const Input<T>& in, const Source& source, const Store& store,
           CudaStream& stream) {
    // Large tiles where they fill the GPU.
    const int64_t tiles = int64_t{blocks_for(in.rows, 128)} * int64_t{blocks_for(in.columns, 128)};
    if (in.rows <= 16) return run_tiled<T, 16, 64, 1, 4>(name, in, source, store, stream);
    if (tiles >= stream.multiprocessors())
        return run_tiled<T, 128, 128, 2, 4>(name, in, source, store, stream);
    return run_tiled<T, 64, 64, 2, 2>(name, in, source, store, stream);
}

}  // namespace lockstep::gemm
