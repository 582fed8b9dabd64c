// SPDX-License-Identifier: GPL-3.0-or-later
// Compiled without fused multiply-adds: what is rounded where is the point.
#include "kernels/cuda/unfused_rows.h"

#include <cmath>

#include "kernels/cuda/launch.cuh"

namespace lockstep::unfused {
namespace {

using device::block_reduce;
using device::from_float;
using device::rounded;
using device::to_float;

// A matrix with dense rows, as a kernel takes it.
template <class T>
struct Rows {
    T* data;
    int64_t stride;
    __device__ T* operator[](int64_t row) const { return data + row * stride; }
};
template <class T>
Rows<T> rows_of(const Tensor& tensor) {
    return {tensor.as<T>(), tensor.stride[0]};
}
// [rows, heads, D]
template <class T>
struct Heads {
    T* data;
    int64_t row_stride, head_stride;
    int dim;
    __device__ T* at(int64_t row, int64_t head) const {
        return data + row * row_stride + head * head_stride;
    }
};
template <class T>
Heads<T> heads_of(const Tensor& tensor) {
    return {tensor.as<T>(), tensor.stride[0], tensor.stride[1], static_cast<int>(tensor.shape[2])};
}

template <class W, class T>
__global__ void embed_kernel(Rows<const W> table, int64_t vocab_size, const int32_t* ids,
                             Rows<T> hidden, int64_t columns) {
    const int64_t id = ids[blockIdx.x];
    const bool known = id >= 0 && id < vocab_size;
    for (int64_t i = threadIdx.x; i < columns; i += blockDim.x)
        hidden[blockIdx.x][i] = from_float<T>(known ? to_float(table[id][i]) : NAN);
}

template <class From, class To>
__global__ void convert_kernel(Rows<const From> from, Rows<To> to, int64_t columns) {
    const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i < columns) to[blockIdx.y][i] = from_float<To>(to_float(from[blockIdx.y][i]));
}

template <class W, class T>
__global__ void add_bias_kernel(Rows<const float> sums, const W* bias, Rows<T> y, int64_t columns) {
    const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i < columns) y[blockIdx.y][i] = from_float<T>(sums[blockIdx.y][i] + to_float(bias[i]));
}

template <class W, class T>
__global__ void rms_norm_kernel(Rows<const T> x, const W* weight, float eps, Rows<T> normed,
                                int64_t columns) {
    __shared__ double room[32];
    const T* row = x[blockIdx.x];
    double squares = 0;
    for (int64_t i = threadIdx.x; i < columns; i += blockDim.x) {
        const float value = to_float(row[i]);
        squares += static_cast<double>(value) * value;
    }
    squares = block_reduce(
        squares, 0.0, [](double a, double b) { return a + b; }, room);
    const double mean = squares / static_cast<double>(columns);
    for (int64_t i = threadIdx.x; i < columns; i += blockDim.x) {
        if constexpr (sizeof(T) == 4) {
            const double scale = 1 / sqrt(mean + eps);
            normed[blockIdx.x][i] =
                static_cast<float>(to_float(row[i]) * scale * to_float(weight[i]));
        } else {
            const float scale = 1 / sqrtf(static_cast<float>(mean) + eps);
            normed[blockIdx.x][i] =
                from_float<T>(rounded<T>(to_float(row[i]) * scale) * to_float(weight[i]));
        }
    }
}

template <class T>
__global__ void place_kernel(Rows<const T> from, Heads<T> to, const int32_t* position) {
    const int64_t row = blockIdx.x + (position ? *position : 0);
    const T* source = from[blockIdx.x] + static_cast<int64_t>(blockIdx.y) * to.dim;
    for (int i = threadIdx.x; i < to.dim; i += blockDim.x) to.at(row, blockIdx.y)[i] = source[i];
}

// (x * cos) + (rotate_half(x) * sin), each product rounded, then the sum.
template <class T>
__global__ void rotate_kernel(Rows<const T> from, Rows<const float> cosine, Rows<const float> sine,
                              const int32_t* position, Heads<T> to, bool to_cache) {
    const int64_t angle_row = blockIdx.x + *position;
    const int half = to.dim / 2;
    const T* source = from[blockIdx.x] + static_cast<int64_t>(blockIdx.y) * to.dim;
    T* target = to.at(to_cache ? angle_row : blockIdx.x, blockIdx.y);
    for (int i = threadIdx.x; i < half; i += blockDim.x) {
        const float low = to_float(source[i]), high = to_float(source[i + half]);
        const float c = rounded<T>(cosine[angle_row][i]), s = rounded<T>(sine[angle_row][i]);
        if constexpr (sizeof(T) == 4) {
            target[i] =
                static_cast<float>(static_cast<double>(low) * c - static_cast<double>(high) * s);
            target[i + half] =
                static_cast<float>(static_cast<double>(high) * c + static_cast<double>(low) * s);
        } else {
            target[i] = from_float<T>(rounded<T>(low * c) + rounded<T>(-high * s));
            target[i + half] = from_float<T>(rounded<T>(high * c) + rounded<T>(low * s));
        }
    }
}

template <class T>
__global__ void softmax_kernel(T* scores, int64_t rows, int64_t keys, float scale,
                               const int32_t* position, int64_t first) {
    // Truth's sums and functions are double.
    using Value = std::conditional_t<sizeof(T) == 4, double, float>;
    __shared__ Value room[32];
    T* row = scores + (blockIdx.y * rows + blockIdx.x) * keys;
    const int64_t seen = *position + first + blockIdx.x + 1;
    const auto scaled = [&](int64_t i) { return rounded<T>(to_float(row[i]) * scale); };
    Value highest = -INFINITY;
    for (int64_t i = threadIdx.x; i < seen; i += blockDim.x)
        highest = max(highest, Value{scaled(i)});
    highest = block_reduce(
        highest, Value{-INFINITY}, [](Value a, Value b) { return max(a, b); }, room);
    Value sum = 0;
    for (int64_t i = threadIdx.x; i < seen; i += blockDim.x) sum += exp(scaled(i) - highest);
    sum = block_reduce(
        sum, Value{0}, [](Value a, Value b) { return a + b; }, room);
    for (int64_t i = threadIdx.x; i < keys; i += blockDim.x) {
        const Value weight = i < seen ? exp(scaled(i) - highest) / sum : Value{0};
        row[i] = from_float<T>(static_cast<float>(weight));
    }
}

template <class T>
__global__ void multiply_silu_kernel(Rows<const T> up, Rows<T> mlp, int64_t columns) {
    const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= columns) return;
    const float gate = to_float(mlp[blockIdx.y][i]);
    const float silu = rounded<T>(gate / (1 + expf(-gate)));
    mlp[blockIdx.y][i] = from_float<T>(silu * to_float(up[blockIdx.y][i]));
}

template <class T>
__global__ void add_kernel(Rows<const T> residual, Rows<T> out, int64_t columns) {
    const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= columns) return;
    out[blockIdx.y][i] =
        from_float<T>(to_float(residual[blockIdx.y][i]) + to_float(out[blockIdx.y][i]));
}

constexpr int threads = 256;

// One thread an element of a [rows, columns] matrix.
Grid elements(int64_t rows, int64_t columns) {
    return {dim3(blocks_for(columns, threads), static_cast<unsigned>(rows)), threads};
}
Grid one_block_a_row(int64_t rows, int64_t others = 1) {
    return {dim3(static_cast<unsigned>(rows), static_cast<unsigned>(others)), threads};
}

}  // namespace

Status embed(const Tensor& table, const Tensor& ids, const Tensor& hidden, CudaStream& stream) {
    return with_type(table.dtype, [&]<class W>(W) {
        return with_type(hidden.dtype, [&]<class T>(T) {
            return launch("embed", embed_kernel<W, T>, one_block_a_row(ids.shape[0]), stream,
                          rows_of<const W>(table), table.shape[0], ids.as<const int32_t>(),
                          rows_of<T>(hidden), table.shape[1]);
        });
    });
}

Status convert(const Tensor& from, const Tensor& to, CudaStream& stream) {
    return with_type(from.dtype, [&]<class From>(From) {
        return with_type(to.dtype, [&]<class To>(To) -> Status {
            for (int64_t first = 0; first < to.shape[0]; first += 65535) {
                const int64_t count = std::min<int64_t>(65535, to.shape[0] - first);
                LOCKSTEP_TRY(launch("convert", convert_kernel<From, To>,
                                    elements(count, to.shape[1]), stream,
                                    rows_of<const From>(from.rows(first, count)),
                                    rows_of<To>(to.rows(first, count)), to.shape[1]));
            }
            return Status();
        });
    });
}

Status add_bias(const Tensor& sums, const Tensor& bias, const Tensor& y, CudaStream& stream) {
    return with_type(bias.dtype, [&]<class W>(W) {
        return with_type(y.dtype, [&]<class T>(T) {
            return launch("add_bias", add_bias_kernel<W, T>, elements(y.shape[0], y.shape[1]),
                          stream, rows_of<const float>(sums), bias.as<const W>(), rows_of<T>(y),
                          y.shape[1]);
        });
    });
}

Status rms_norm(const Tensor& x, const Tensor& weight, float eps, const Tensor& normed,
                CudaStream& stream) {
    return with_type(weight.dtype, [&]<class W>(W) {
        return with_type(x.dtype, [&]<class T>(T) {
            return launch("rms_norm", rms_norm_kernel<W, T>, one_block_a_row(x.shape[0]), stream,
                          rows_of<const T>(x), weight.as<const W>(), eps, rows_of<T>(normed),
                          x.shape[1]);
        });
    });
}

Status place(const Tensor& from, const Tensor& to, const Tensor& position, CudaStream& stream) {
    if (!to.defined()) return {};
    return with_type(from.dtype, [&]<class T>(T) {
        return launch("place", place_kernel<T>, one_block_a_row(from.shape[0], to.shape[1]), stream,
                      rows_of<const T>(from), heads_of<T>(to), position.as<const int32_t>());
    });
}

Status rotate(const Tensor& from, const Angles& angles, const Tensor& to, bool to_cache,
              CudaStream& stream) {
    return with_type(from.dtype, [&]<class T>(T) {
        return launch("rotate", rotate_kernel<T>, one_block_a_row(from.shape[0], to.shape[1]),
                      stream, rows_of<const T>(from), rows_of<const float>(angles.cos),
                      rows_of<const float>(angles.sin), angles.position.as<const int32_t>(),
                      heads_of<T>(to), to_cache);
    });
}

Status softmax(const Tensor& scores, float scale, const Tensor& position, int64_t first,
               CudaStream& stream) {
    return with_type(scores.dtype, [&]<class T>(T) {
        return launch("softmax", softmax_kernel<T>,
                      one_block_a_row(scores.shape[1], scores.shape[0]), stream, scores.as<T>(),
                      scores.shape[1], scores.shape[2], scale, position.as<const int32_t>(), first);
    });
}

Status multiply_silu(const Tensor& up, const Tensor& mlp, CudaStream& stream) {
    return with_type(mlp.dtype, [&]<class T>(T) {
        return launch("multiply_silu", multiply_silu_kernel<T>,
                      elements(mlp.shape[0], mlp.shape[1]), stream, rows_of<const T>(up),
                      rows_of<T>(mlp), mlp.shape[1]);
    });
}

Status add(const Tensor& residual, const Tensor& out, CudaStream& stream) {
    return with_type(out.dtype, [&]<class T>(T) {
        return launch("add", add_kernel<T>, elements(out.shape[0], out.shape[1]), stream,
                      rows_of<const T>(residual), rows_of<T>(out), out.shape[1]);
    });
}

}  // namespace lockstep::unfused
