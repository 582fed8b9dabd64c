// SPDX-License-Identifier: GPL-3.0-or-later
// What is known: config, weights, tokenizer, template. Immutable once loaded, shared by reference.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/model/config.h"
#include "core/model/weights.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer.h"

namespace lockstep {

struct GenerationDefaults {  // generation_config.json; absent values keep the engine's own
    std::optional<double> temperature, top_p, min_p, repetition_penalty;
    std::optional<int> top_k;
};

struct Model {
    std::string name;            // general.name, or the folder's or file's name
    std::filesystem::path path;  // as it was opened
    std::string source_format;   // "GGUF Q4_1", "safetensors BF16"
    DType dtype = DType::bf16;   // of the weights in memory
    Device* device = nullptr;    // whose memory that is; null: the CPU's
    ModelConfig config;
    Weights weights;  // empty when loaded with vocabulary_only
    std::unique_ptr<const Tokenizer> tokenizer;
    // The model's own, or ChatML where it has none or its own cannot run: then template_problem
    // says which line and construct.
    ChatTemplate chat_template;
    std::string template_problem;
    GenerationDefaults generation_defaults;
};

inline Device& device_of(const Model& model) {
    return model.device ? *model.device : cpu_device();
}

}  // namespace lockstep
