// SPDX-License-Identifier: GPL-3.0-or-later
// The same model with its weights in another device's memory: how a model that was made in the
// host's memory comes to a GPU, and how a diagnosis reads the weights of one that lies there. (A
// file is loaded to where it shall lie at once: LoadOptions.)
#pragma once

#include <memory>

#include "core/model/model.h"

namespace lockstep {

// Without tokenizer and template. Either `model` or `device` is the CPU's.
Result<std::shared_ptr<Model>> copy_model(const Model& model, Device& device);

}  // namespace lockstep
