// SPDX-License-Identifier: GPL-3.0-or-later
// Opens a Hugging Face folder or a GGUF file (either by its path) as a Model. Files are
// memory-mapped and untrusted: every error names the file and the field, tensor or rule.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/model/model.h"
#include "kernels/device.h"
#include "kernels/status.h"

namespace lockstep {

struct LoadProgress {
    std::string what;  // "model.layers.3.mlp.up_proj"
    int64_t done = 0;  // bytes of weights in memory
    int64_t total = 0;
};

struct LoadOptions {
    DType dtype = DType::bf16;     // bf16, f16 or f32: what weights are expanded to
    Device* device = nullptr;      // null: the CPU
    bool vocabulary_only = false;  // config optional, no weights: tokenizer and template only
    int64_t context = 4096;        // for the memory estimate
    // Returning false cancels; called at least every 50 ms.
    std::function<bool(const LoadProgress&)> progress;
};

struct MemoryEstimate {
    int64_t weights = 0;    // bytes in memory after loading
    int64_t kv_cache = 0;   // bytes for `context` tokens
    int64_t workspace = 0;  // activations
    int64_t total() const { return weights + kv_cache + workspace; }
};

// Reads headers only. load_model refuses with out_of_memory where total() exceeds free_memory(),
// and says what would fit (memory_fit.h).
Result<MemoryEstimate> estimate_memory(const std::filesystem::path& path,
                                       const LoadOptions& options);
Result<std::shared_ptr<const Model>> load_model(const std::filesystem::path& path,
                                                const LoadOptions& options);

}  // namespace lockstep
