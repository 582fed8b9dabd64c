// SPDX-License-Identifier: GPL-3.0-or-later
// What the makers of the CUDA paths share: each step checked for dtypes first, and a failure that
// says the operands' shapes (the call is named by whoever made it, step and layer by the forward
// pass).
#pragma once

#include "kernels/kernel_path.h"
#include "kernels/operand_dtypes.h"

namespace lockstep {

constexpr uint8_t step_bit(StepId step) {
    return static_cast<uint8_t>(1u << static_cast<int>(step));
}
constexpr uint8_t all_step_bits = (1u << step_count) - 1;

template <class Args>
std::string shapes_of(const Args& args) {
    std::string text;
    for (const TensorField<Args>& field : Args::fields()) {
        const Tensor& tensor = args.*field.member;
        if (!tensor.defined()) continue;
        text += (text.empty() ? "" : ", ") + std::string(field.name) + " " + tensor.description();
    }
    return text;
}

template <class Args>
DType activation_dtype(const Args& args) {
    for (const TensorField<Args>& field : Args::fields()) {
        const bool activation = field.role == Role::input || field.role == Role::output;
        if (activation && field.name != "logits") return (args.*field.member).dtype;
    }
    return DType::f32;
}

// `check` is given the arguments; then `step` runs.
template <class Args, class Check>
StepFunction<Args> checked(Status (*step)(const Args&, Stream&), const Check& check) {
    return [step, check](const Args& args, Stream& stream) -> Status {
        LOCKSTEP_TRY(check(args));
        Status ran = step(args, stream);
        if (!ran) return within(shapes_of(args), std::move(ran).error());
        return ran;
    };
}

}  // namespace lockstep
