// SPDX-License-Identifier: GPL-3.0-or-later
// attn_output: hidden + attn o_proj^T.
#include "kernels/cuda/fused.h"

namespace lockstep::fused {

Status attn_output(const AttnOutputArgs& args, Stream& stream) {
    return add_product("fused attn_output", args.attn, args.o_proj, args.hidden, args.hidden_attn,
                       cuda_stream(stream));
}

}  // namespace lockstep::fused
