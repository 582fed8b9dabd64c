// SPDX-License-Identifier: GPL-3.0-or-later
// Models of real ones' shapes with random weights, in any device's memory: what kernels are
// measured with where no file is at hand. Speed depends on shapes, not on what the weights say.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/model/model.h"

namespace lockstep {

// "qwen2.5-0.5b, llama-3.2-1b, qwen2.5-1.5b, qwen2.5-7b"
std::string random_shape_names();
// Without a tokenizer; values of a trained model's size, the same ones every time.
Result<std::shared_ptr<const Model>> make_random_shape(std::string_view name, DType dtype,
                                                       Device& device);

}  // namespace lockstep
