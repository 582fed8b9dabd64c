// SPDX-License-Identifier: GPL-3.0-or-later
// attn_output: hidden + attn o_proj^T.
#include "kernels/cuda/chain.h"
#include "kernels/cuda/fused.h"

namespace lockstep::fused {

Status attn_output(const AttnOutputArgs& args, Stream& any_stream) {
    CudaStream& stream = cuda_stream(any_stream);
    LOCKSTEP_TRY(stream.enter());
    if (const auto link = link_of(args, stream)) return add_link(*link, args.hidden.dtype, stream);
    return add_product("fused attn_output", args.attn, args.o_proj, args.hidden, args.hidden_attn,
                       stream);
}

}  // namespace lockstep::fused
