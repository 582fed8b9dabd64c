// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/fused.h"

#include "kernels/cuda/cuda_path.h"

namespace lockstep {

KernelPath make_cuda_fused_path() {
    const auto one_dtype = [](const auto& args) -> Status {
        const DType dtype = activation_dtype(args);
        LOCKSTEP_TRY(require_activations(args, dtype, "fused"));
        return require_weights(args, dtype, "fused");
    };
    KernelPath path;
    path.name = "fused";
    path.device = DeviceKind::cuda;
    path.replayable = all_step_bits;
    path.embed = checked(fused::embed, one_dtype);
    path.qkv = checked(fused::qkv, one_dtype);
    path.attention = checked(fused::attention, one_dtype);
    path.attn_output = checked(fused::attn_output, one_dtype);
    path.gate_up = checked(fused::gate_up, one_dtype);
    path.down = checked(fused::down, one_dtype);
    path.logits = checked(fused::logits, one_dtype);
    path.logits_to_host = fused::logits_to_host;
    return path;
}

}  // namespace lockstep
