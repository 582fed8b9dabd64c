// SPDX-License-Identifier: GPL-3.0-or-later
// What truth and the reference do between their matrix products, one kernel an operation, each
// result rounded to its tensor's dtype: for f32, truth's arithmetic; for bf16 and f16, what
// transformers' modelling code has (kernels/cpu/reference_rows.h). Tensors lie in the device's
// memory, rows may be strided.
#pragma once

#include "kernels/cuda/cuda_stream.h"
#include "kernels/tensor.h"

namespace lockstep::unfused {

// hidden[t] = table[ids[t]]; rows of ids outside the table become NaN.
Status embed(const Tensor& table, const Tensor& ids, const Tensor& hidden, CudaStream& stream);
// to [rows, columns] = from, in to's dtype.
Status convert(const Tensor& from, const Tensor& to, CudaStream& stream);
// y [rows, N] = sums [rows, N] in f32 + bias [N]
Status add_bias(const Tensor& sums, const Tensor& bias, const Tensor& y, CudaStream& stream);
// LlamaRMSNorm of each row.
Status rms_norm(const Tensor& x, const Tensor& weight, float eps, const Tensor& normed,
                CudaStream& stream);
// from [T, heads * D] into rows of to [.., heads, D]: from row 0 on, or where position is given
// from the row it says on.
Status place(const Tensor& from, const Tensor& to, const Tensor& position, CudaStream& stream);
// The same, rotated by the angles of rows position + t.
struct Angles {
    Tensor cos, sin, position;
};
Status rotate(const Tensor& from, const Angles& angles, const Tensor& to, bool to_cache,
              CudaStream& stream);
// scores [heads, rows, keys] become weights, in place: round(scores * scale), softmax in f32 over
// keys [0, position + first + row], zeros behind them.
Status softmax(const Tensor& scores, float scale, const Tensor& position, int64_t first,
               CudaStream& stream);
// mlp = round(silu(mlp)) * up
Status multiply_silu(const Tensor& up, const Tensor& mlp, CudaStream& stream);
// out += residual
Status add(const Tensor& residual, const Tensor& out, CudaStream& stream);

}  // namespace lockstep::unfused
