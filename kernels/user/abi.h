// SPDX-License-Identifier: GPL-3.0-or-later
// A step's arguments as lockstep_kernel.h has them: one C struct per step, whose tensors follow the
// context in the order of the step's fields(). tst_abi holds the two together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/steps.h"
#include "kernels/user/lockstep_kernel.h"

namespace lockstep {

inline constexpr size_t max_abi_args_bytes = sizeof(lockstep_qkv_args);
inline constexpr size_t max_abi_tensors = 16;  // of qkv, without the position

// One of the lockstep_*_args structs, by its bytes.
struct AbiCall {
    uint32_t step = 0;   // StepId
    uint32_t bytes = 0;  // of `args` in use
    alignas(8) std::array<std::byte, max_abi_args_bytes> args{};

    lockstep_context& context() { return *reinterpret_cast<lockstep_context*>(args.data()); }
    // The step's tensors, in the order of its fields().
    std::span<lockstep_tensor> tensors();
};

// How many tensors and bytes a step's struct has; 0 for a number that is no step's.
size_t abi_tensor_count(uint32_t step);
size_t abi_args_bytes(uint32_t step);

lockstep_tensor to_abi(const Tensor& tensor);

// threads: of the context. unfused_outputs: false leaves those undefined.
template <class Args>
AbiCall to_abi(const Args& args, int threads, bool unfused_outputs);

extern template AbiCall to_abi(const EmbedArgs&, int, bool);
extern template AbiCall to_abi(const QkvArgs&, int, bool);
extern template AbiCall to_abi(const AttentionArgs&, int, bool);
extern template AbiCall to_abi(const AttnOutputArgs&, int, bool);
extern template AbiCall to_abi(const GateUpArgs&, int, bool);
extern template AbiCall to_abi(const DownArgs&, int, bool);
extern template AbiCall to_abi(const LogitsArgs&, int, bool);

}  // namespace lockstep
