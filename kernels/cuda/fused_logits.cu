// SPDX-License-Identifier: GPL-3.0-or-later
// logits: the final RMSNorm and the head, stored in f32 as they are summed.
#include "kernels/cuda/chain.h"
#include "kernels/cuda/cublas.h"
#include "kernels/cuda/fused.h"
#include "kernels/cuda/gemm.cuh"
#include "kernels/cuda/matvec.cuh"

namespace lockstep::fused {
namespace {

struct Target {
    float* logits;
    int64_t stride;
    int size;  // V
    __device__ void put(int64_t row, int index, float value) const {
        if (index < size) logits[row * stride + index] = value;
    }
};

template <class T>
struct HeadRows {
    const T* head;
    int64_t stride;
    int size;
    __device__ const T* row(int unit, int part) const {
        const int64_t index = unit * 2 + part;
        return index < size ? head + index * stride : nullptr;
    }
    __device__ const T* row(int column) const { return head + column * stride; }
};
struct StoreUnit {
    Target target;
    static constexpr int run = 4;  // 32 bytes in one message, where the logits are the host's
    __device__ void operator()(int unit, int64_t row, float first, float second) const {
        target.put(row, unit * 2, first);
        target.put(row, unit * 2 + 1, second);
    }
    __device__ void operator()(int unit, int64_t row, int lane, float value) const {
        target.put(row, unit * 2 + lane, value);
    }
};
struct StoreColumns {
    Target target;
    __device__ void operator()(int64_t row, int column, float low, float high) const {
        target.put(row, column, low);
        target.put(row, column + 8, high);
    }
};

template <class T>
Status run(const LogitsArgs& args, CudaStream& stream) {
    const Tensor& x = args.hidden;
    const auto rows = static_cast<int>(x.shape[0]), depth = static_cast<int>(x.shape[1]);
    const auto size = static_cast<int>(args.lm_head.shape[0]);
    const HeadRows<T> head{args.lm_head.as<const T>(), args.lm_head.stride[0], size};
    const Target target{args.logits.as<float>(), args.logits.stride[0], size};
    const bool aligned = matvec::rows_aligned(args.lm_head);
    if constexpr (sizeof(T) == 2) {
        if (rows > few_rows) {
            LOCKSTEP_ASSIGN(const Tensor normed,
                            norm_rows(x, args.norm, args.rms_norm_eps, stream));
            const gemm::Input<T> in{normed.as<const T>(),
                                    depth,
                                    rows,
                                    depth,
                                    size,
                                    aligned && matvec::rows_aligned(normed)};
            return gemm::run("fused logits", in, head, StoreColumns{target}, stream);
        }
    }
    const matvec::Input<T> in{
        x.as<const T>(),
        x.stride[0],
        rows,
        depth,
        args.norm.as<const T>(),
        args.rms_norm_eps,
        aligned && matvec::rows_aligned(x) && matvec::rows_aligned(args.norm)};
    return matvec::run<float>("fused logits", in, (size + 1) / 2, head, StoreUnit{target}, stream);
}

}  // namespace

Status logits(const LogitsArgs& args, Stream& any_stream) {
    CudaStream& stream = cuda_stream(any_stream);
    LOCKSTEP_TRY(stream.enter());
    if (const auto link = link_of(args, stream)) return add_link(*link, args.hidden.dtype, stream);
    if (by_library(args.hidden.shape[0], args.hidden.dtype)) {
        LOCKSTEP_ASSIGN(const Tensor normed,
                        norm_rows(args.hidden, args.norm, args.rms_norm_eps, stream));
        return stream.state<Cublas>().linear(normed, args.lm_head, args.logits, false);
    }
    return with_type(args.hidden.dtype, [&]<class T>(T) { return run<T>(args, stream); });
}

// Chains and matvec.cuh store eight at a time: each store is a message on the way to the host.
bool logits_to_host(const LogitsArgs& args, Stream&) {
    return args.hidden.shape[0] == 1;
}

}  // namespace lockstep::fused
