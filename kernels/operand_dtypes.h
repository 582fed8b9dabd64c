// SPDX-License-Identifier: GPL-3.0-or-later
// What a path asks of its operands' dtypes beyond check_step.
#pragma once

#include <string>

#include "kernels/status.h"
#include "kernels/steps.h"

namespace lockstep {

// Every activation of the call is of `dtype` (logits are f32 always).
template <class Args>
Status require_activations(const Args& args, DType dtype, std::string_view path) {
    for (const TensorField<Args>& field : Args::fields()) {
        const Tensor& tensor = args.*field.member;
        const bool activation = field.role == Role::input || field.role == Role::output ||
                                field.role == Role::state || field.role == Role::unfused_output;
        if (!activation || !tensor.defined() || field.name == "logits") continue;
        if (tensor.dtype == dtype) continue;
        return fail(ErrorKind::unsupported,
                    std::string(path) + " computes in " + std::string(dtype_info(dtype).name) +
                        ", but " + std::string(field.name) + " is " + tensor.description());
    }
    return {};
}

// Every weight of the call is of `dtype`.
template <class Args>
Status require_weights(const Args& args, DType dtype, std::string_view path) {
    for (const TensorField<Args>& field : Args::fields()) {
        const Tensor& tensor = args.*field.member;
        const bool weight = field.role == Role::weight || field.role == Role::optional_weight;
        if (!weight || !tensor.defined() || tensor.dtype == dtype) continue;
        return fail(ErrorKind::unsupported,
                    std::string(path) + " computes in its weights' dtype: the activations are " +
                        std::string(dtype_info(dtype).name) + ", but " + std::string(field.name) +
                        " is " + tensor.description());
    }
    return {};
}

}  // namespace lockstep
