// SPDX-License-Identifier: GPL-3.0-or-later
// config.json and generation_config.json of a Hugging Face folder. Defaults are transformers'
// (configuration_llama.py, configuration_qwen2.py); a setting that the engine cannot honour is
// refused by name.
#pragma once

#include <filesystem>

#include "core/model/model.h"
#include "kernels/status.h"

namespace lockstep {

Result<ModelConfig> read_hf_config(const std::filesystem::path& config_json);

// Sampling defaults; end-of-text ids are added to the config's.
Result<GenerationDefaults> read_generation_config(
    const std::filesystem::path& generation_config_json, ModelConfig& config);

}  // namespace lockstep
