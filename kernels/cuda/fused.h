// SPDX-License-Identifier: GPL-3.0-or-later
// Our seven steps, one file each: fused_<step>.cu. Activations and weights of one dtype (bf16, f16
// or f32), sums in f32. A few rows go through matvec.cuh, many 16-bit ones through gemm.cuh.
#pragma once

#include "kernels/cuda/cuda_stream.h"
#include "kernels/kernel_path.h"

namespace lockstep::fused {

// More rows than this, of a 16-bit dtype, are multiplied by tensor cores.
inline constexpr int64_t few_rows = 4;
// So many rows of a 16-bit dtype go through cuBLAS, between our kernels, where the machine has it:
// on Hopper its wgmma products are about twice as fast as gemm.cuh's mma.sync. Sums are f32, a
// product is rounded once, as the reference rounds it; residual and f32 logits cost no pass.
inline constexpr int64_t library_rows = 64;
bool by_library(int64_t rows, DType dtype);

// 16 bytes at a time: rows begin on 16-byte borders and hold whole eights.
inline bool rows_aligned(const Tensor& tensor) {
    const bool places = reinterpret_cast<uintptr_t>(tensor.data) % 16 == 0;
    const int64_t columns = tensor.shape[tensor.rank - 1];
    return places && columns % 8 == 0 &&
           (tensor.rank < 2 || tensor.shape[0] == 1 || tensor.stride[0] % 8 == 0);
}

Status embed(const EmbedArgs& args, Stream& stream);
Status qkv(const QkvArgs& args, Stream& stream);
Status attention(const AttentionArgs& args, Stream& stream);
Status attn_output(const AttnOutputArgs& args, Stream& stream);
Status gate_up(const GateUpArgs& args, Stream& stream);
Status down(const DownArgs& args, Stream& stream);
Status logits(const LogitsArgs& args, Stream& stream);
bool logits_to_host(const LogitsArgs& args, Stream& stream);  // KernelPath's

// out = residual + x weight^T: attn_output and down.
Status add_product(const char* name, const Tensor& x, const Tensor& weight, const Tensor& residual,
                   const Tensor& out, CudaStream& stream);
// x [T, H] normed, rounded once, in the stream's room: what tensor cores are given.
Result<Tensor> norm_rows(const Tensor& x, const Tensor& weight, float eps, CudaStream& stream);
// x weight^T [T, N], rounded once, to x's dtype or f32, in a slot of the stream's room; by cuBLAS.
Result<Tensor> library_product(const Tensor& x, const Tensor& weight, DType dtype,
                               CudaStream::Slot slot, CudaStream& stream);
// product [T, heads * D] + bias, rotated where `angles` has tables, into rows of out [.., heads, D]
// from row 0 on or, in the cache, from the position on.
struct Angles {
    Tensor cos, sin, position;
};
Status finish_heads(const Tensor& product, const Tensor& bias, const Angles& angles,
                    const Tensor& out, bool to_cache, CudaStream& stream);
// mlp = silu(gate) * up
Status silu_product(const Tensor& gate, const Tensor& up, const Tensor& mlp, CudaStream& stream);
// out = from, row by row.
Status copy_rows(const Tensor& from, const Tensor& out, CudaStream& stream);

}  // namespace lockstep::fused
