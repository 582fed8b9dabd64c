// SPDX-License-Identifier: GPL-3.0-or-later
// A path is how every step is computed: a plain value with one function per step. Truth, reference
// and fused on each device are values of it; a path with single steps replaced is a copy of one
// with entries of another (or a user's kernel, or a planted fault).
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kernels/device.h"
#include "kernels/status.h"
#include "kernels/steps.h"

namespace lockstep {

// A step must not keep references to its arguments after synchronize().
template <class Args>
using StepFunction = std::function<Status(const Args&, Stream&)>;

struct KernelPath {
    std::string name;  // "truth", "reference", "fused", ...
    DeviceKind device = DeviceKind::cpu;
    // True where activations and the KV cache are f32 whatever the model's dtype (truth).
    bool f32_activations = false;
    // Bit s is set where step s writes its unfused outputs (see Role).
    uint8_t writes_unfused_outputs = 0;
    // Bit s is set where what step s queues for one row depends on nothing but its operands'
    // places and sizes: the position is read from device memory. Then decode can be replayed.
    uint8_t replayable = 0;

    StepFunction<EmbedArgs> embed;
    StepFunction<QkvArgs> qkv;
    StepFunction<AttentionArgs> attention;
    StepFunction<AttnOutputArgs> attn_output;
    StepFunction<GateUpArgs> gate_up;
    StepFunction<DownArgs> down;
    StepFunction<LogitsArgs> logits;
    // Whether `logits`, called so, may as well be given memory of the host (Device::allocate_host)
    // to put them into: it costs no more than the device's, and nothing need be copied. Null: no.
    std::function<bool(const LogitsArgs&, Stream&)> logits_to_host;

    template <class Args>
    const StepFunction<Args>& step() const;

    // This path with one step taken from another of the same device and activation dtype.
    KernelPath with_step(StepId step, const KernelPath& other) const;
};

template <>
inline const StepFunction<EmbedArgs>& KernelPath::step() const {
    return embed;
}
template <>
inline const StepFunction<QkvArgs>& KernelPath::step() const {
    return qkv;
}
template <>
inline const StepFunction<AttentionArgs>& KernelPath::step() const {
    return attention;
}
template <>
inline const StepFunction<AttnOutputArgs>& KernelPath::step() const {
    return attn_output;
}
template <>
inline const StepFunction<GateUpArgs>& KernelPath::step() const {
    return gate_up;
}
template <>
inline const StepFunction<DownArgs>& KernelPath::step() const {
    return down;
}
template <>
inline const StepFunction<LogitsArgs>& KernelPath::step() const {
    return logits;
}

// Every path that this build knows for a device, in the order truth, reference, fused. A new path
// is one more file and one more line in path_registry.cpp.
std::span<const KernelPath> kernel_paths(DeviceKind device);
// Null where there is none of that name.
const KernelPath* find_kernel_path(DeviceKind device, std::string_view name);
// For tests, which put a device of their own in the GPU's place: at the start, before anybody asks.
void replace_cuda_paths(std::vector<KernelPath> paths);

// The paths' own makers, one file each.
KernelPath make_cpu_truth_path();       // kernels/cpu/truth.cpp
KernelPath make_cpu_reference_path();   // kernels/cpu/reference.cpp
KernelPath make_cpu_fused_path();       // kernels/cpu/fused.cpp
KernelPath make_cuda_truth_path();      // kernels/cuda/truth.cpp
KernelPath make_cuda_reference_path();  // kernels/cuda/reference.cpp
KernelPath make_cuda_fused_path();      // kernels/cuda/fused.cpp
// The three above; none in a build without CUDA.
std::vector<KernelPath> make_cuda_paths();

}  // namespace lockstep
