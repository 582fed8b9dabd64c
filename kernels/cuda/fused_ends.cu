// SPDX-License-Identifier: GPL-3.0-or-later
// What stands before and behind cuBLAS's products in the prefill of many rows: everything that a
// step does besides, in one pass, f32 inside.
#include "kernels/cuda/cublas.h"
#include "kernels/cuda/fused.h"
#include "kernels/cuda/launch.cuh"

namespace lockstep::fused {
namespace {

constexpr int threads = 256;

template <class T>
struct HeadsOut {
    T* data;
    int64_t row_stride, head_stride;
    int heads, dim;
};

// A thread has a pair (i, i + D/2) of one head of one row.
template <class P, class T>
__global__ void finish_heads_kernel(const P* product, const T* bias, const float* cosine,
                                    const float* sine, int64_t angle_stride,
                                    const int32_t* position, HeadsOut<T> out, bool to_cache) {
    device::let_next_kernel_begin();
    device::wait_for_kernel_before();
    const int half = out.dim / 2;
    const int pair = blockIdx.x * blockDim.x + threadIdx.x;
    if (pair >= out.heads * half) return;
    const int head = pair / half, i = pair % half, column = head * out.dim + i;
    const int64_t row = blockIdx.y, place = row + *position;
    const P* from = product + row * out.heads * out.dim + column;
    float low = device::to_float(from[0]), high = device::to_float(from[half]);
    if (bias) {
        low += device::to_float(bias[column]);
        high += device::to_float(bias[column + half]);
    }
    if (cosine) {
        const float c = cosine[place * angle_stride + i], s = sine[place * angle_stride + i];
        const float turned = low * c - high * s;
        high = high * c + low * s;
        low = turned;
    }
    T* to = out.data + (to_cache ? place : row) * out.row_stride + head * out.head_stride;
    to[i] = device::from_float<T>(low);
    to[i + half] = device::from_float<T>(high);
}

template <class T>
__global__ void silu_kernel(const T* gate, const T* up, T* mlp, int64_t stride, int columns) {
    device::let_next_kernel_begin();
    device::wait_for_kernel_before();
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= columns) return;
    const int64_t from = static_cast<int64_t>(blockIdx.y) * columns + i;
    const float g = device::to_float(gate[from]);
    mlp[blockIdx.y * stride + i] =
        device::from_float<T>(g / (1 + expf(-g)) * device::to_float(up[from]));
}

template <class T>
__global__ void copy_kernel(const T* from, int64_t from_stride, T* to, int64_t to_stride,
                            int columns) {
    device::let_next_kernel_begin();
    device::wait_for_kernel_before();
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < columns) to[blockIdx.y * to_stride + i] = from[blockIdx.y * from_stride + i];
}

Grid elements(int64_t rows, int64_t columns) {
    Grid grid;
    grid.blocks = dim3(blocks_for(columns, threads), static_cast<unsigned>(rows));
    grid.threads = threads;
    grid.overlaps = true;
    return grid;
}

}  // namespace

bool by_library(int64_t rows, DType dtype) {
    return rows >= library_rows && dtype != DType::f32 && Cublas::available();
}

Result<Tensor> library_product(const Tensor& x, const Tensor& weight, DType dtype,
                               CudaStream::Slot slot, CudaStream& stream) {
    const int64_t rows = x.shape[0], columns = weight.shape[0];
    LOCKSTEP_ASSIGN(void* const memory,
                    stream.room(slot, static_cast<size_t>(dtype_bytes(dtype, rows * columns))));
    const Tensor product(memory, dtype, {rows, columns});
    LOCKSTEP_TRY(stream.state<Cublas>().linear(x, weight, product, false));
    return product;
}

Status finish_heads(const Tensor& product, const Tensor& bias, const Angles& angles,
                    const Tensor& out, bool to_cache, CudaStream& stream) {
    const int64_t heads = out.shape[1], dim = out.shape[2];
    return with_half_type(out.dtype, [&]<class T>(T) {
        const HeadsOut<T> target{out.as<T>(), out.stride[0], out.stride[1], static_cast<int>(heads),
                                 static_cast<int>(dim)};
        const auto finish = [&]<class P>(P) {
            return launch("fused qkv end", finish_heads_kernel<P, T>,
                          elements(product.shape[0], heads * dim / 2), stream,
                          product.as<const P>(), bias.as<const T>(), angles.cos.as<const float>(),
                          angles.sin.as<const float>(), angles.cos.stride[0],
                          angles.position.as<const int32_t>(), target, to_cache);
        };
        return product.dtype == DType::f32 ? finish(float()) : finish(T());
    });
}

Status silu_product(const Tensor& gate, const Tensor& up, const Tensor& mlp, CudaStream& stream) {
    return with_half_type(mlp.dtype, [&]<class T>(T) {
        return launch("fused gate_up end", silu_kernel<T>, elements(mlp.shape[0], mlp.shape[1]),
                      stream, gate.as<const T>(), up.as<const T>(), mlp.as<T>(), mlp.stride[0],
                      mlp.shape[1]);
    });
}

Status copy_rows(const Tensor& from, const Tensor& out, CudaStream& stream) {
    return with_half_type(from.dtype, [&]<class T>(T) {
        return launch("fused residual", copy_kernel<T>, elements(out.shape[0], out.shape[1]),
                      stream, from.as<const T>(), from.stride[0], out.as<T>(), out.stride[0],
                      out.shape[1]);
    });
}

}  // namespace lockstep::fused
