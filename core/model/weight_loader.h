// SPDX-License-Identifier: GPL-3.0-or-later
// Fills a model's Weights from stored tensors: checks every name, shape and type first, then
// expands on several threads.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/model/model_loader.h"
#include "core/model/stored_tensor.h"

namespace lockstep {

struct WeightSource {
    std::vector<StoredTensor> tensors;
    std::string where;  // stands in front of errors about tensors that are not there
    bool gguf = false;  // names are ggml's
    // GGUF stores the llama family's q and k rows permuted for interleaved RoPE: row 2i + j of a
    // head is row j * D/2 + i of transformers' half-rotated layout.
    bool interleaved_qk = false;
};

// Every tensor that the config asks for is there, of its shape and of a type that can be expanded,
// and none is there that it has no use for. No weight is read.
Status check_weights(const WeightSource& source, const ModelConfig& config);

// `beside` runs on another thread while the weights are expanded (the tokenizer is made there).
Status load_weights(const WeightSource& source, const ModelConfig& config,
                    const LoadOptions& options, const std::function<void()>& beside,
                    Weights& weights);

}  // namespace lockstep
