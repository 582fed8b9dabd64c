// SPDX-License-Identifier: GPL-3.0-or-later
// A model on disk, opened: everything that its headers say, with the weights still as stored. One
// shape for both formats, so that the loader knows neither.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/mapped_file.h"
#include "core/model/model.h"
#include "core/model/weight_loader.h"

namespace lockstep {

struct ModelSource {
    std::filesystem::path path;
    std::string name;
    std::string format;
    ModelConfig config;
    GenerationDefaults generation_defaults;
    std::string chat_template;  // empty where the model has none
    std::function<Result<std::unique_ptr<const Tokenizer>>()> make_tokenizer;
    WeightSource weights;
    std::vector<MappedFile> files;  // what the weights' tensors are views into
};

// With vocabulary_only neither config nor weights are needed; what there is of a config is kept.
Result<ModelSource> open_model_source(const std::filesystem::path& path, bool vocabulary_only);

Result<ModelSource> open_gguf(const std::filesystem::path& path, bool vocabulary_only);
Result<ModelSource> open_hf_folder(const std::filesystem::path& folder, bool vocabulary_only);

}  // namespace lockstep
