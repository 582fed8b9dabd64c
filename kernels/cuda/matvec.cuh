// SPDX-License-Identifier: GPL-3.0-or-later
// Products of a few rows with weights that are read once: decode, where bytes are all that counts.
//
// A unit is two weight rows whose results belong together (a rotated pair, gate and up, or two
// neighbours): one to eight warps read them 16 bytes a lane, eight loads in flight, and the rows
// they are multiplied with lie in shared memory as f32, normed there where the step begins with a
// norm. The first weights are under way before the kernel waits for the one before it.
#pragma once

#include <algorithm>

#include "kernels/cuda/fused.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/tensor.h"

namespace lockstep::matvec {

constexpr int threads = 256;
constexpr int warps = threads / 32;
constexpr int parts = 2;  // weight rows of a unit

// The rows to be multiplied, and the norm that comes first (weight null: none).
template <class T>
struct Input {
    const T* x;
    int64_t stride;
    int rows;
    int depth;
    const T* norm_weight;
    float eps;
    bool aligned;  // x, norm and weights can be read 16 bytes at a time
};

struct Plan {
    int units;
    int warps_per_unit;
};

// Element i of a staged row: the first four of each eight lie apart from the second four, so that
// neighbouring lanes read neighbouring banks.
__device__ __forceinline__ int staged(int i, int half) {
    return (i & 4 ? half : 0) + (i / 8) * 4 + (i & 3);
}
__host__ __device__ constexpr int staged_floats(int depth) {
    return (depth + 7) / 8 * 8;
}

// What a norm is computed in: f32 for 16-bit rows, double for f32 ones, which show it.
template <class T>
using Wide = std::conditional_t<sizeof(T) == 4, double, float>;

// Puts row m into shared memory as it is: where nothing is normed, its elements are T's.
template <class T>
__device__ void copy_row(const Input<T>& in, int64_t row, T* xs) {
    const T* x = in.x + row * in.stride;
    if (in.aligned) {
        constexpr int loads = 8;  // in flight together
        for (int first = threadIdx.x; first < in.depth / 8; first += loads * threads) {
            device::Eight<T> eight[loads];
#pragma unroll
            for (int u = 0; u < loads; ++u) {
                const int p = first + u * threads;
                if (p < in.depth / 8) eight[u] = device::load_eight(x + p * 8);
            }
#pragma unroll
            for (int u = 0; u < loads; ++u) {
                const int p = first + u * threads;
                const auto& word = eight[u].word;
                if (p < in.depth / 8)
                    reinterpret_cast<uint4*>(xs)[p] = {word[0], word[1], word[2], word[3]};
            }
        }
        return;
    }
    for (int i = threadIdx.x; i < in.depth; i += threads) xs[i] = x[i];
}

// Puts row m into shared memory; returns this thread's part of the sum of its squares.
template <class T>
__device__ Wide<T> stage_row(const Input<T>& in, int64_t row, float* xs) {
    const T* x = in.x + row * in.stride;
    const int half = staged_floats(in.depth) / 2;
    Wide<T> squares = 0;
    if (in.aligned) {
        constexpr int loads = 4;  // in flight together
        for (int first = threadIdx.x; first < in.depth / 8; first += loads * threads) {
            device::Eight<T> eight[loads];
#pragma unroll
            for (int u = 0; u < loads; ++u) {
                const int p = first + u * threads;
                if (p < in.depth / 8) eight[u] = device::load_eight(x + p * 8);
            }
#pragma unroll
            for (int u = 0; u < loads; ++u) {
                const int p = first + u * threads;
                if (p >= in.depth / 8) break;
                float value[8];
                device::expand(eight[u], value);
#pragma unroll
                for (int i = 0; i < 8; ++i) squares += Wide<T>{value[i]} * value[i];
                reinterpret_cast<float4*>(xs)[p] = {value[0], value[1], value[2], value[3]};
                reinterpret_cast<float4*>(xs + half)[p] = {value[4], value[5], value[6], value[7]};
            }
        }
        return squares;
    }
    for (int i = threadIdx.x; i < in.depth; i += threads) {
        const float value = device::to_float(x[i]);
        squares += Wide<T>{value} * value;
        xs[staged(i, half)] = value;
    }
    return squares;
}

// A thread's first share of the norm's weights, loaded before there are rows to norm.
template <class T>
struct NormWeights {
    static constexpr int kept = 2;
    device::Eight<T> eight[kept];

    __device__ void load(const Input<T>& in) {
        if (!in.norm_weight || !in.aligned) return;
#pragma unroll
        for (int u = 0; u < kept; ++u) {
            const int p = threadIdx.x + u * threads;
            if (p < in.depth / 8) eight[u] = device::load_eight(in.norm_weight + p * 8);
        }
    }
};

// x / sqrt(mean(x^2) + eps) * weight, by the thread that staged it.
template <class T>
__device__ void norm_row(const Input<T>& in, const NormWeights<T>& weights, Wide<T> squares,
                         float* xs) {
    const Wide<T> scale = 1 / sqrt(squares / in.depth + in.eps);
    const auto normed = [scale](float x, float weight) {
        return static_cast<float>(x * scale * weight);
    };
    const int half = staged_floats(in.depth) / 2;
    if (!in.aligned) {
        for (int i = threadIdx.x; i < in.depth; i += threads)
            xs[staged(i, half)] = normed(xs[staged(i, half)], device::to_float(in.norm_weight[i]));
        return;
    }
    const auto norm_eight = [&](int p, const device::Eight<T>& eight) {
        float weight[8];
        device::expand(eight, weight);
        float4& low = reinterpret_cast<float4*>(xs)[p];
        float4& high = reinterpret_cast<float4*>(xs + half)[p];
        low = {normed(low.x, weight[0]), normed(low.y, weight[1]), normed(low.z, weight[2]),
               normed(low.w, weight[3])};
        high = {normed(high.x, weight[4]), normed(high.y, weight[5]), normed(high.z, weight[6]),
                normed(high.w, weight[7])};
    };
#pragma unroll
    for (int u = 0; u < NormWeights<T>::kept; ++u) {
        const int p = threadIdx.x + u * threads;
        if (p < in.depth / 8) norm_eight(p, weights.eight[u]);
    }
    for (int p = threadIdx.x + NormWeights<T>::kept * threads; p < in.depth / 8; p += threads)
        norm_eight(p, device::load_eight(in.norm_weight + p * 8));
}

template <class T, class X, int M>
__device__ void stage(const Input<T>& in, const NormWeights<T>& weights, int first, X* xs) {
    const int floats = staged_floats(in.depth);
    if constexpr (sizeof(X) == 2) {
#pragma unroll
        for (int m = 0; m < M; ++m) copy_row(in, min(first + m, in.rows - 1), xs + m * floats);
    } else {
        __shared__ Wide<T> room[32];
#pragma unroll
        for (int m = 0; m < M; ++m) {
            // Rows that are not there repeat the last one; nothing is stored of them.
            const int row = min(first + m, in.rows - 1);
            Wide<T> squares = stage_row(in, row, xs + m * floats);
            if (!in.norm_weight) continue;
            squares = device::block_reduce(
                squares, Wide<T>{0}, [](Wide<T> a, Wide<T> b) { return a + b; }, room);
            norm_row(in, weights, squares, xs + m * floats);
        }
    }
    __syncthreads();
}

// Elements p * 8 .. p * 8 + 8 of a staged row.
template <class T>
__device__ __forceinline__ void staged_eight(const float* xs, int p, int floats,
                                             float (&value)[8]) {
    const float4 low = reinterpret_cast<const float4*>(xs)[p];
    const float4 high = reinterpret_cast<const float4*>(xs + floats / 2)[p];
    value[0] = low.x, value[1] = low.y, value[2] = low.z, value[3] = low.w;
    value[4] = high.x, value[5] = high.y, value[6] = high.z, value[7] = high.w;
}
template <class T>
__device__ __forceinline__ void staged_eight(const T* xs, int p, int, float (&value)[8]) {
    const uint4 word = reinterpret_cast<const uint4*>(xs)[p];
    device::expand(device::Eight<T>{{word.x, word.y, word.z, word.w}}, value);
}
template <class T>
__device__ __forceinline__ float staged_one(const float* xs, int i, int floats) {
    return xs[staged(i, floats / 2)];
}
template <class T>
__device__ __forceinline__ float staged_one(const T* xs, int i, int) {
    return device::to_float(xs[i]);
}

// A lane's loads that are in flight together.
template <class T>
struct Batch {
    static constexpr int loads = sizeof(T) == 4 ? 2 : 4;
    device::Eight<T> weight[parts][loads];

    __device__ void load(const T* const (&row)[parts], int pack, int step, int packs) {
#pragma unroll
        for (int u = 0; u < loads; ++u) {
#pragma unroll
            for (int r = 0; r < parts; ++r) {
                if (row[r] && pack + u * step < packs)
                    weight[r][u] = device::load_streaming(row[r] + (pack + u * step) * 8);
            }
        }
    }
    template <int M, class X>
    __device__ void multiply(const T* const (&row)[parts], int pack, int step, int packs,
                             const X* xs, int floats, float (&sum)[M][parts]) const {
#pragma unroll
        for (int u = 0; u < loads; ++u) {
            const int p = pack + u * step;
            if (p >= packs) break;
#pragma unroll
            for (int m = 0; m < M; ++m) {
                float x[8];
                staged_eight<T>(xs + m * floats, p, floats, x);
#pragma unroll
                for (int r = 0; r < parts; ++r) {
                    if (!row[r]) continue;
                    float w[8];
                    device::expand(weight[r][u], w);
                    sum[m][r] += w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3] +
                                 w[4] * x[4] + w[5] * x[5] + w[6] * x[6] + w[7] * x[7];
                }
            }
        }
    }
};

// Any alignment, element by element.
template <class T, class X, int M>
__device__ void multiply_unaligned(const T* const (&row)[parts], int lane, int step, int depth,
                                   const X* xs, int floats, float (&sum)[M][parts]) {
    for (int i = lane; i < depth; i += step) {
#pragma unroll
        for (int r = 0; r < parts; ++r) {
            if (!row[r]) continue;
            const float w = device::to_float(row[r][i]);
#pragma unroll
            for (int m = 0; m < M; ++m) sum[m][r] += w * staged_one<T>(xs + m * floats, i, floats);
        }
    }
}

// Units that one warp takes one after another and whose results it stores together.
template <class Store>
__host__ __device__ constexpr int run_of_units() {
    if constexpr (requires { Store::run; }) return Store::run;
    return 1;
}

// Which unit is the i-th of a slot, of `width` that take units side by side: runs as long as all
// have whole ones, then one by one, so that the last round is no longer than without runs.
template <int run>
struct Turns {
    int slot, width, in_runs;  // in_runs: so many are taken in runs
    __device__ Turns(int slot, int width, int units)
        : slot(slot), width(width), in_runs(run > 1 ? units / (width * run) * run : 0) {}
    __device__ int unit(int i) const {
        if (run == 1 || i >= in_runs) return i * width + slot;
        return (i / run * width + slot) * run + i % run;
    }
};

// Source: const T* row(int unit, int part), null where there is none.
// Store: void operator()(int unit, int64_t row, float first, float second); with a `run`, for one
// row, void operator()(int unit, int64_t row, int lane, float value), lane 2 u + r with what is of
// part r of the u-th unit from that one on.
template <class T, class X, int M, class Source, class Store>
__global__ __launch_bounds__(threads, M == 1 && sizeof(T) == 2 ? 3 : 2) void kernel(Input<T> in,
                                                                                    Plan plan,
                                                                                    Source source,
                                                                                    Store store) {
    extern __shared__ float4 shared[];
    __shared__ float partial[2][warps][M * parts];
    X* xs = reinterpret_cast<X*>(shared);
    const int floats = staged_floats(in.depth);
    const int per_unit = plan.warps_per_unit, per_block = warps / per_unit;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int first_pack = warp % per_unit * 32 + lane, step = per_unit * 32;
    const int packs = in.depth / 8;
    const int first_row = blockIdx.y * M;
    const T* rows[parts];
    const auto take = [&](int unit) {
#pragma unroll
        for (int r = 0; r < parts; ++r) rows[r] = unit < plan.units ? source.row(unit, r) : nullptr;
    };
    device::let_next_kernel_begin();
    constexpr int run = M == 1 ? run_of_units<Store>() : 1;
    const Turns<run> turns(blockIdx.x * per_block + warp / per_unit, gridDim.x * per_block,
                           plan.units);
    Batch<T> batch;
    int unit = turns.unit(0);
    take(unit);
    if (in.aligned) batch.load(rows, first_pack, step, packs);
    NormWeights<T> norm_weights;
    norm_weights.load(in);
    device::wait_for_kernel_before();
    stage<T, X, M>(in, norm_weights, first_row, xs);

    int turn = 0;
    [[maybe_unused]] float kept = 0;  // this lane's of a run
    for (int i = 0; blockIdx.x * per_block + i * turns.width < plan.units; ++i) {
        float sum[M][parts] = {};
        if (in.aligned) {
            for (int pack = first_pack; pack < packs; pack += step * Batch<T>::loads) {
                if (pack != first_pack) batch.load(rows, pack, step, packs);
                batch.template multiply<M, X>(rows, pack, step, packs, xs, floats, sum);
            }
        } else {
            multiply_unaligned<T, X, M>(rows, first_pack, step, in.depth, xs, floats, sum);
        }
        const int done = unit;
        unit = turns.unit(i + 1);
        take(unit);
        if (in.aligned) batch.load(rows, first_pack, step, packs);
#pragma unroll
        for (int m = 0; m < M; ++m) {
#pragma unroll
            for (int r = 0; r < parts; ++r) sum[m][r] = device::warp_sum(sum[m][r]);
        }
        if (per_unit > 1) {
            if (lane == 0) {
#pragma unroll
                for (int m = 0; m < M; ++m) {
#pragma unroll
                    for (int r = 0; r < parts; ++r) partial[turn][warp][m * parts + r] = sum[m][r];
                }
            }
            __syncthreads();
            if (warp % per_unit == 0) {
#pragma unroll
                for (int m = 0; m < M; ++m) {
#pragma unroll
                    for (int r = 0; r < parts; ++r) {
                        for (int other = 1; other < per_unit; ++other)
                            sum[m][r] += partial[turn][warp + other][m * parts + r];
                    }
                }
            }
            turn ^= 1;
        }
        if (warp % per_unit != 0 || done >= plan.units) continue;
        if constexpr (run > 1) {
            const int place = i < turns.in_runs ? i % run : 0;
            if (lane / 2 == place) kept = lane % 2 == 0 ? sum[0][0] : sum[0][1];
            const int last = i < turns.in_runs ? run - 1 : 0;
            if (place == last && lane < 2 * (last + 1)) store(done - last, first_row, lane, kept);
        } else {
#pragma unroll
            for (int m = 0; m < M; ++m) {
                if (lane == m && first_row + m < in.rows)
                    store(done, first_row + m, sum[m][0], sum[m][1]);
            }
        }
    }
}

using fused::rows_aligned;

// X: what rows are staged as: f32, or where there is no norm T, which takes half the room and the
// time.
template <class X, class T, class Source, class Store>
Status run(const char* name, const Input<T>& in, int64_t units, const Source& source,
           const Store& store, CudaStream& stream) {
    // Beside the kernel's own arrays; on sm_90 no more than leaves a part to the L1 cache.
    const size_t most_shared = std::min<size_t>(200 * 1024, stream.shared_bytes() - 2 * 1024);
    const size_t row_bytes = static_cast<size_t>(staged_floats(in.depth)) * sizeof(X);
    if (row_bytes > most_shared) {
        return fail(ErrorKind::unsupported,
                    "fused reads rows of up to " + std::to_string(most_shared / sizeof(X)) +
                        " elements on this GPU, not " + std::to_string(in.depth));
    }
    const int sms = stream.multiprocessors();
    Plan plan{static_cast<int>(units), 1};
    // As many warps as fill the GPU once, and no more: a few blocks left over for a second round
    // would run alone. Each lane has something to load.
    while (plan.warps_per_unit < warps && plan.warps_per_unit * 256 < in.depth &&
           units * plan.warps_per_unit * 2 <= int64_t{24} * sms)
        plan.warps_per_unit *= 2;
    const bool four = in.rows > 1 && 4 * row_bytes <= most_shared;
    Grid grid;
    grid.threads = threads;
    grid.shared_bytes = row_bytes * (four ? 4 : 1);
    grid.overlaps = true;
    const auto resident = static_cast<int64_t>(
        std::clamp<size_t>(most_shared / std::max<size_t>(grid.shared_bytes, 1), 1, 3));
    const int64_t wanted = (units * plan.warps_per_unit + warps - 1) / warps;
    grid.blocks = dim3(static_cast<unsigned>(std::min(wanted, sms * resident)),
                       blocks_for(in.rows, four ? 4 : 1));
    if (four)
        return launch(name, kernel<T, X, 4, Source, Store>, grid, stream, in, plan, source, store);
    return launch(name, kernel<T, X, 1, Source, Store>, grid, stream, in, plan, source, store);
}

}  // namespace lockstep::matvec
