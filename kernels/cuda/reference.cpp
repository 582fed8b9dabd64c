// SPDX-License-Identifier: GPL-3.0-or-later
// The reference on the GPU: the model's own dtype, unfused, every operation rounded where
// transformers' modelling code has a tensor of that dtype (eager attention); products by cuBLAS, as
// PyTorch makes them. kernels/cpu/reference.cpp is the same on the CPU.
#include "kernels/cuda/cuda_path.h"
#include "kernels/cuda/unfused.h"

namespace lockstep {

KernelPath make_cuda_reference_path() {
    const auto one_dtype = [](const auto& args) -> Status {
        const DType dtype = activation_dtype(args);
        LOCKSTEP_TRY(require_activations(args, dtype, "reference"));
        return require_weights(args, dtype, "reference");
    };
    KernelPath path;
    path.name = "reference";
    path.device = DeviceKind::cuda;
    path.writes_unfused_outputs =
        step_bit(StepId::qkv) | step_bit(StepId::gate_up) | step_bit(StepId::logits);
    path.embed = checked(unfused::run_embed, one_dtype);
    path.qkv = checked(unfused::run_qkv, one_dtype);
    path.attention = checked(unfused::run_attention, one_dtype);
    path.attn_output = checked(unfused::run_attn_output, one_dtype);
    path.gate_up = checked(unfused::run_gate_up, one_dtype);
    path.down = checked(unfused::run_down, one_dtype);
    path.logits = checked(unfused::run_logits, one_dtype);
    // Attention's products have as many keys as the cache holds: the host's count.
    path.replayable = all_step_bits & ~step_bit(StepId::attention);
    return path;
}

}  // namespace lockstep
