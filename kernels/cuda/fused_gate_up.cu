// SPDX-License-Identifier: GPL-3.0-or-later
// gate_up: RMSNorm, both projections, and silu(gate) * up before anything is stored. For a few rows
// one launch; for many the norm goes ahead.
#include "kernels/cuda/chain.h"
#include "kernels/cuda/fused.h"
#include "kernels/cuda/gemm.cuh"
#include "kernels/cuda/matvec.cuh"

namespace lockstep::fused {
namespace {

template <class T>
struct Target {
    T* mlp;
    int64_t stride;
    __device__ void put(int64_t row, int index, float gate, float up) const {
        const matvec::Wide<T> wide = gate;
        mlp[row * stride + index] =
            device::from_float<T>(static_cast<float>(wide / (1 + exp(-wide)) * up));
    }
};

template <class T>
struct Weights {
    const T *gate, *up;
    int64_t gate_stride, up_stride;
    int size;  // I
    __device__ const T* at(int index, bool second) const {
        return second ? up + index * up_stride : gate + index * gate_stride;
    }
};

template <class T>
struct UnitRows {
    Weights<T> weights;
    __device__ const T* row(int unit, int part) const { return weights.at(unit, part == 1); }
};
template <class T>
struct StoreUnit {
    Target<T> target;
    __device__ void operator()(int unit, int64_t row, float gate, float up) const {
        target.put(row, unit, gate, up);
    }
};

// Eight rows of gate, the same eight of up, the next eight of gate, ...
__device__ __forceinline__ int index_of(int column) {
    return column / 16 * 8 + column % 8;
}
template <class T>
struct InterleavedRows {
    Weights<T> weights;
    __device__ const T* row(int column) const {
        const int index = index_of(column);
        return index < weights.size ? weights.at(index, column / 8 % 2 == 1) : nullptr;
    }
};
template <class T>
struct StorePair {
    Target<T> target;
    int size;
    __device__ void operator()(int64_t row, int column, float gate, float up) const {
        const int index = index_of(column);
        if (index < size) target.put(row, index, gate, up);
    }
};

template <class T>
Status run(const GateUpArgs& args, CudaStream& stream) {
    const Tensor& x = args.hidden_attn;
    const auto rows = static_cast<int>(x.shape[0]), depth = static_cast<int>(x.shape[1]);
    const auto size = static_cast<int>(args.gate_proj.shape[0]);
    const Weights<T> weights{args.gate_proj.as<const T>(), args.up_proj.as<const T>(),
                             args.gate_proj.stride[0], args.up_proj.stride[0], size};
    const Target<T> target{args.mlp.as<T>(), args.mlp.stride[0]};
    const bool aligned = matvec::rows_aligned(args.gate_proj) && matvec::rows_aligned(args.up_proj);
    if constexpr (sizeof(T) == 2) {
        if (rows > few_rows) {
            LOCKSTEP_ASSIGN(const Tensor normed,
                            norm_rows(x, args.post_attention_layernorm, args.rms_norm_eps, stream));
            const gemm::Input<T> in{normed.as<const T>(),
                                    depth,
                                    rows,
                                    depth,
                                    (size + 7) / 8 * 16,
                                    aligned && matvec::rows_aligned(normed)};
            return gemm::run("fused gate_up", in, InterleavedRows<T>{weights},
                             StorePair<T>{target, size}, stream);
        }
    }
    const matvec::Input<T> in{
        x.as<const T>(),
        x.stride[0],
        rows,
        depth,
        args.post_attention_layernorm.as<const T>(),
        args.rms_norm_eps,
        aligned && matvec::rows_aligned(x) && matvec::rows_aligned(args.post_attention_layernorm)};
    return matvec::run<float>("fused gate_up", in, size, UnitRows<T>{weights}, StoreUnit<T>{target},
                              stream);
}

}  // namespace

Status gate_up(const GateUpArgs& args, Stream& any_stream) {
    CudaStream& stream = cuda_stream(any_stream);
    LOCKSTEP_TRY(stream.enter());
    if (const auto link = link_of(args, stream)) return add_link(*link, args.mlp.dtype, stream);
    if (by_library(args.mlp.shape[0], args.mlp.dtype)) {
        LOCKSTEP_ASSIGN(
            const Tensor normed,
            norm_rows(args.hidden_attn, args.post_attention_layernorm, args.rms_norm_eps, stream));
        LOCKSTEP_ASSIGN(const Tensor gate, library_product(normed, args.gate_proj, normed.dtype,
                                                           CudaStream::first, stream));
        LOCKSTEP_ASSIGN(const Tensor up, library_product(normed, args.up_proj, normed.dtype,
                                                         CudaStream::second, stream));
        return silu_product(gate, up, args.mlp, stream);
    }
    return with_type(args.mlp.dtype, [&]<class T>(T) { return run<T>(args, stream); });
}

}  // namespace lockstep::fused
