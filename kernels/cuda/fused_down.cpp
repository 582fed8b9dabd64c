// SPDX-License-Identifier: GPL-3.0-or-later
// down: hidden_attn + mlp down_proj^T.
#include "kernels/cuda/fused.h"

namespace lockstep::fused {

Status down(const DownArgs& args, Stream& stream) {
    return add_product("fused down", args.mlp, args.down_proj, args.hidden_attn, args.hidden,
                       cuda_stream(stream));
}

}  // namespace lockstep::fused
