// SPDX-License-Identifier: GPL-3.0-or-later
// The three kernels of the fused attention: a few rows against a long cache, on GPUs with clusters
// and on any, and many rows at once.
#pragma once

#include "kernels/cuda/cuda_stream.h"
#include "kernels/steps.h"

namespace lockstep::fused {

// fused_attention_decode.cu: bf16 and f16, the usual head sizes on 16-byte borders, up to 16 query
// heads in a group, where a block can have the shared memory (heads of 128: not on sm_120).
// decodes: whether it takes these.
bool decodes(const AttentionArgs& args, const CudaStream& stream);
Status attention_decode(const AttentionArgs& args, CudaStream& stream);

// fused_attention_split.cu: any dtype, head sizes up to 128. The cache is split over blocks; the
// last one to finish adds the parts up.
Status attention_split(const AttentionArgs& args, CudaStream& stream);

// fused_attention_tiles.cu: bf16 and f16, head sizes up to 128. Tiles of 64 rows by 64 keys on the
// tensor cores.
Status attention_tiles(const AttentionArgs& args, CudaStream& stream);

}  // namespace lockstep::fused
