// SPDX-License-Identifier: GPL-3.0-or-later
// RMSNorm of many rows for the tensor cores: f32 inside, rounded once.
#include "kernels/cuda/fused.h"
#include "kernels/cuda/launch.cuh"

namespace lockstep::fused {
namespace {

template <class T>
__global__ void norm_kernel(const T* x, int64_t stride, const T* weight, float eps, T* normed,
                            int columns) {
    __shared__ float room[32];
    device::let_next_kernel_begin();
    device::wait_for_kernel_before();
    const T* row = x + blockIdx.x * stride;
    float squares = 0;
    for (int i = threadIdx.x; i < columns; i += blockDim.x) {
        const float value = device::to_float(row[i]);
        squares += value * value;
    }
    squares = device::block_reduce(
        squares, 0.0f, [](float a, float b) { return a + b; }, room);
    const float scale = 1 / sqrtf(squares / static_cast<float>(columns) + eps);
    T* out = normed + static_cast<int64_t>(blockIdx.x) * columns;
    for (int i = threadIdx.x; i < columns; i += blockDim.x)
        out[i] =
            device::from_float<T>(device::to_float(row[i]) * scale * device::to_float(weight[i]));
}

}  // namespace

Result<Tensor> norm_rows(const Tensor& x, const Tensor& weight, float eps, CudaStream& stream) {
    LOCKSTEP_ASSIGN(void* const memory,
                    stream.room(CudaStream::normed, static_cast<size_t>(x.bytes())));
    const Tensor normed(memory, x.dtype, {x.shape[0], x.shape[1]});
    Grid grid;
    grid.blocks = dim3(static_cast<unsigned>(x.shape[0]));
    grid.overlaps = true;
    LOCKSTEP_TRY(with_half_type(x.dtype, [&]<class T>(T) {
        return launch("fused norm", norm_kernel<T>, grid, stream, x.as<const T>(), x.stride[0],
                      weight.as<const T>(), eps, normed.as<T>(), x.shape[1]);
    }));
    return normed;
}

}  // namespace lockstep::fused
