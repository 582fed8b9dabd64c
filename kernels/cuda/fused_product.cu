// SPDX-License-Identifier: GPL-3.0-or-later
// out = residual + x weight^T, rounded once: what attn_output and down are.
#include "kernels/cuda/cublas.h"
#include "kernels/cuda/fused.h"
#include "kernels/cuda/gemm.cuh"
#include "kernels/cuda/matvec.cuh"

namespace lockstep::fused {
namespace {

template <class T>
struct Target {
    const T* residual;
    int64_t residual_stride;
    T* out;
    int64_t out_stride;
    int columns;

    __device__ void put(int64_t row, int column, float value) const {
        if (column >= columns) return;
        out[row * out_stride + column] = device::from_float<T>(
            device::to_float(residual[row * residual_stride + column]) + value);
    }
};

template <class T>
struct Neighbours {  // units of two weight rows
    const T* weight;
    int64_t stride;
    int columns;
    __device__ const T* row(int unit, int part) const {
        const int64_t index = unit * 2 + part;
        return index < columns ? weight + index * stride : nullptr;
    }
};
template <class T>
struct StoreNeighbours {
    Target<T> target;
    __device__ void operator()(int unit, int64_t row, float first, float second) const {
        target.put(row, unit * 2, first);
        target.put(row, unit * 2 + 1, second);
    }
};

template <class T>
struct PlainRows {
    const T* weight;
    int64_t stride;
    __device__ const T* row(int column) const { return weight + column * stride; }
};
template <class T>
struct StorePlain {
    Target<T> target;
    __device__ void operator()(int64_t row, int column, float low, float high) const {
        target.put(row, column, low);
        target.put(row, column + 8, high);
    }
};

template <class T>
Status run(const char* name, const Tensor& x, const Tensor& weight, const Target<T>& target,
           CudaStream& stream) {
    const auto rows = static_cast<int>(x.shape[0]), depth = static_cast<int>(x.shape[1]);
    const bool aligned = matvec::rows_aligned(x) && matvec::rows_aligned(weight);
    const T* w = weight.as<const T>();
    if constexpr (sizeof(T) == 2) {
        if (rows > few_rows) {
            const gemm::Input<T> in{x.as<const T>(), x.stride[0],    rows,
                                    depth,           target.columns, aligned};
            return gemm::run(name, in, PlainRows<T>{w, weight.stride[0]}, StorePlain<T>{target},
                             stream);
        }
    }
    const matvec::Input<T> in{x.as<const T>(), x.stride[0], rows, depth, nullptr, 0, aligned};
    return matvec::run<T>(name, in, (target.columns + 1) / 2,
                          Neighbours<T>{w, weight.stride[0], target.columns},
                          StoreNeighbours<T>{target}, stream);
}

}  // namespace

Status add_product(const char* name, const Tensor& x, const Tensor& weight, const Tensor& residual,
                   const Tensor& out, CudaStream& stream) {
    LOCKSTEP_TRY(stream.enter());
    if (by_library(x.shape[0], x.dtype)) {
        LOCKSTEP_TRY(copy_rows(residual, out, stream));
        return stream.state<Cublas>().linear(x, weight, out, true);
    }
    return with_type(x.dtype, [&]<class T>(T) {
        const Target<T> target{residual.as<const T>(), residual.stride[0], out.as<T>(),
                               out.stride[0], static_cast<int>(out.shape[1])};
        return run<T>(name, x, weight, target, stream);
    });
}

}  // namespace lockstep::fused
