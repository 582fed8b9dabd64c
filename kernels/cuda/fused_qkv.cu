// SPDX-License-Identifier: GPL-3.0-or-later
// qkv: RMSNorm, three projections, bias, RoPE and the append to the cache. For a few rows one
// launch; for many the norm goes ahead. A rotated pair (i, i + D/2) is in one thread's registers.
#include "kernels/cuda/chain.h"
#include "kernels/cuda/fused.h"
#include "kernels/cuda/gemm.cuh"
#include "kernels/cuda/matvec.cuh"

namespace lockstep::fused {
namespace {

// One of q, k, v: its weights and where its results go.
template <class T>
struct Projection {
    const T *weight, *bias;
    int64_t weight_stride;
    T* out;
    int64_t row_stride, head_stride;
};

template <class T>
struct Heads {
    Projection<T> projections[3];
    int first_k, first_v, end;  // heads are numbered q's, k's, v's
    int dim;
    const float *cosine, *sine;
    int64_t cosine_stride, sine_stride;
    const int32_t* position;

    __device__ int kind(int head) const { return (head >= first_k) + (head >= first_v); }
    __device__ int within(int head, int which) const {
        return head - (which == 2 ? first_v : which == 1 ? first_k : 0);
    }
    // The weight row of pair i's first or second dimension.
    __device__ const T* weight(int head, int i, bool second) const {
        const int which = kind(head);
        const Projection<T>& p = projections[which];
        const int64_t row = int64_t{within(head, which)} * dim + i + (second ? dim / 2 : 0);
        return p.weight + row * p.weight_stride;
    }
    __device__ void put(int64_t row, int head, int i, float low, float high) const {
        const int which = kind(head), half = dim / 2;
        const int h = within(head, which);
        const Projection<T>& p = projections[which];
        if (p.bias) {
            low += device::to_float(p.bias[h * dim + i]);
            high += device::to_float(p.bias[h * dim + i + half]);
        }
        const int64_t place = row + *position;
        if (which < 2) {
            const float c = cosine[place * cosine_stride + i], s = sine[place * sine_stride + i];
            const matvec::Wide<T> a = low, b = high;
            low = static_cast<float>(a * c - b * s);
            high = static_cast<float>(b * c + a * s);
        }
        T* out = p.out + (which == 0 ? row : place) * p.row_stride + h * p.head_stride;
        out[i] = device::from_float<T>(low);
        out[i + half] = device::from_float<T>(high);
    }
};

template <class T>
struct UnitRows {
    Heads<T> heads;
    __device__ const T* row(int unit, int part) const {
        const int half = heads.dim / 2;
        return heads.weight(unit / half, unit % half, part == 1);
    }
};
template <class T>
struct StoreUnit {
    Heads<T> heads;
    __device__ void operator()(int unit, int64_t row, float low, float high) const {
        const int half = heads.dim / 2;
        heads.put(row, unit / half, unit % half, low, high);
    }
};

// Within a head: eight first dimensions, their eight second ones, the next eight first ones, ...
template <class T>
struct InterleavedRows {
    Heads<T> heads;
    __device__ const T* row(int column) const {
        const int c = column % heads.dim;
        return heads.weight(column / heads.dim, c / 16 * 8 + c % 8, c / 8 % 2 == 1);
    }
};
template <class T>
struct StorePair {
    Heads<T> heads;
    __device__ void operator()(int64_t row, int column, float low, float high) const {
        const int head = column / heads.dim, c = column % heads.dim;
        if (head < heads.end) heads.put(row, head, c / 16 * 8 + c % 8, low, high);
    }
};

template <class T>
Projection<T> projection(const Tensor& weight, const Tensor& bias, const Tensor& out) {
    return {weight.as<const T>(), bias.as<const T>(), weight.stride[0],
            out.as<T>(),          out.stride[0],      out.stride[1]};
}

template <class T>
Status run(const QkvArgs& args, CudaStream& stream) {
    const Tensor& x = args.hidden;
    const auto rows = static_cast<int>(x.shape[0]), depth = static_cast<int>(x.shape[1]);
    const auto queries = static_cast<int>(args.q.shape[1]);
    const auto groups = static_cast<int>(args.k_cache.shape[1]);
    const auto dim = static_cast<int>(args.q.shape[2]);
    const Heads<T> heads{{projection<T>(args.q_proj, args.q_bias, args.q),
                          projection<T>(args.k_proj, args.k_bias, args.k_cache),
                          projection<T>(args.v_proj, args.v_bias, args.v_cache)},
                         queries,
                         queries + groups,
                         queries + 2 * groups,
                         dim,
                         args.rope_cos.as<const float>(),
                         args.rope_sin.as<const float>(),
                         args.rope_cos.stride[0],
                         args.rope_sin.stride[0],
                         args.context.position.as<const int32_t>()};
    const bool aligned = matvec::rows_aligned(args.q_proj) && matvec::rows_aligned(args.k_proj) &&
                         matvec::rows_aligned(args.v_proj);
    if constexpr (sizeof(T) == 2) {
        if (rows > few_rows && dim % 16 == 0) {
            LOCKSTEP_ASSIGN(const Tensor normed,
                            norm_rows(x, args.input_layernorm, args.rms_norm_eps, stream));
            const gemm::Input<T> in{normed.as<const T>(),
                                    depth,
                                    rows,
                                    depth,
                                    heads.end * dim,
                                    aligned && matvec::rows_aligned(normed)};
            return gemm::run("fused qkv", in, InterleavedRows<T>{heads}, StorePair<T>{heads},
                             stream);
        }
    }
    const matvec::Input<T> in{
        x.as<const T>(),
        x.stride[0],
        rows,
        depth,
        args.input_layernorm.as<const T>(),
        args.rms_norm_eps,
        aligned && matvec::rows_aligned(x) && matvec::rows_aligned(args.input_layernorm)};
    return matvec::run<float>("fused qkv", in, int64_t{heads.end} * dim / 2, UnitRows<T>{heads},
                              StoreUnit<T>{heads}, stream);
}

Status run_by_library(const QkvArgs& args, CudaStream& stream) {
    LOCKSTEP_ASSIGN(const Tensor normed,
                    norm_rows(args.hidden, args.input_layernorm, args.rms_norm_eps, stream));
    // A bias is added to the sum, not to the rounded sum, as the reference has it.
    const auto product = [&](const Tensor& weight, const Tensor& bias, CudaStream::Slot slot) {
        const DType dtype = bias.defined() ? DType::f32 : normed.dtype;
        return library_product(normed, weight, dtype, slot, stream);
    };
    LOCKSTEP_ASSIGN(const Tensor q, product(args.q_proj, args.q_bias, CudaStream::first));
    LOCKSTEP_ASSIGN(const Tensor k, product(args.k_proj, args.k_bias, CudaStream::second));
    LOCKSTEP_ASSIGN(const Tensor v, product(args.v_proj, args.v_bias, CudaStream::third));
    const Angles angles{args.rope_cos, args.rope_sin, args.context.position};
    const Angles none{Tensor(), Tensor(), args.context.position};
    LOCKSTEP_TRY(finish_heads(q, args.q_bias, angles, args.q, false, stream));
    LOCKSTEP_TRY(finish_heads(k, args.k_bias, angles, args.k_cache, true, stream));
    return finish_heads(v, args.v_bias, none, args.v_cache, true, stream);
}

}  // namespace

Status qkv(const QkvArgs& args, Stream& any_stream) {
    CudaStream& stream = cuda_stream(any_stream);
    LOCKSTEP_TRY(stream.enter());
    if (const auto link = link_of(args, stream)) return add_link(*link, args.hidden.dtype, stream);
    if (by_library(args.hidden.shape[0], args.hidden.dtype)) return run_by_library(args, stream);
    return with_type(args.hidden.dtype, [&]<class T>(T) { return run<T>(args, stream); });
}

}  // namespace lockstep::fused
