// SPDX-License-Identifier: GPL-3.0-or-later
// Truth on the GPU: unfused, activations and sums in f32, products by cuBLAS in true f32 (no TF32),
// weights of any floating dtype. It stands for the CPU's truth to 1e-5 of a tensor's size:
// tests/gpu.
#include "kernels/cuda/cuda_path.h"
#include "kernels/cuda/unfused.h"

namespace lockstep {

KernelPath make_cuda_truth_path() {
    const auto f32 = [](const auto& args) {
        return require_activations(args, DType::f32, "truth");
    };
    KernelPath path;
    path.name = "truth";
    path.device = DeviceKind::cuda;
    path.f32_activations = true;
    path.writes_unfused_outputs =
        step_bit(StepId::qkv) | step_bit(StepId::gate_up) | step_bit(StepId::logits);
    path.embed = checked(unfused::run_embed, f32);
    path.qkv = checked(unfused::run_qkv, f32);
    path.attention = checked(unfused::run_attention, f32);
    path.attn_output = checked(unfused::run_attn_output, f32);
    path.gate_up = checked(unfused::run_gate_up, f32);
    path.down = checked(unfused::run_down, f32);
    path.logits = checked(unfused::run_logits, f32);
    return path;
}

}  // namespace lockstep
