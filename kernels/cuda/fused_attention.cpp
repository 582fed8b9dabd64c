// SPDX-License-Identifier: GPL-3.0-or-later
// attention: which kernel for how many rows.
#include "kernels/cuda/fused_attention.h"

#include "kernels/cuda/chain.h"
#include "kernels/cuda/fused.h"

namespace lockstep::fused {

Status attention(const AttentionArgs& args, Stream& any_stream) {
    CudaStream& stream = cuda_stream(any_stream);
    LOCKSTEP_TRY(stream.enter());
    const int64_t dim = args.q.shape[2];
    if (dim > 128) {
        return fail(ErrorKind::unsupported,
                    "fused attention has heads of up to 128, not " + std::to_string(dim));
    }
    LOCKSTEP_ASSIGN(const auto link, link_of(args, stream));
    if (link) return add_link(*link, args.q.dtype, stream);
    const bool tiles = args.q.shape[0] > few_rows && args.q.dtype != DType::f32;
    if (!tiles && args.q.shape[0] <= few_rows && decodes(args, stream))
        return attention_decode(args, stream);
    return tiles ? attention_tiles(args, stream) : attention_split(args, stream);
}

}  // namespace lockstep::fused
