// SPDX-License-Identifier: GPL-3.0-or-later
// down: hidden_attn + mlp down_proj^T.
#include "kernels/cuda/chain.h"
#include "kernels/cuda/fused.h"

namespace lockstep::fused {

Status down(const DownArgs& args, Stream& any_stream) {
    CudaStream& stream = cuda_stream(any_stream);
    LOCKSTEP_TRY(stream.enter());
    if (const auto link = link_of(args, stream)) return add_link(*link, args.hidden.dtype, stream);
    return add_product("fused down", args.mlp, args.down_proj, args.hidden_attn, args.hidden,
                       stream);
}

}  // namespace lockstep::fused
