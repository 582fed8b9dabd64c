// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/memory_fit.h"

#include <algorithm>
#include <new>

#include "core/model/model_source.h"
#include "core/model/weight_loader.h"
#include "core/model/weight_plan.h"

namespace lockstep {
namespace {

// Prefill works on so many rows at a time, in f32 on the widest path.
constexpr int64_t workspace_rows = 512;
constexpr int64_t gpu_workspace_rows = 2048;
// What the GPU's libraries and the kernels' own rooms take beside the activations.
constexpr int64_t gpu_library_bytes = int64_t{128} << 20;
// Contexts are offered in steps of so many tokens, and none shorter than one.
constexpr int64_t context_step = 256;

const Device& device_for(const LoadOptions& options) {
    return options.device ? *options.device : cpu_device();
}

int64_t context_for(const ModelConfig& config, const LoadOptions& options) {
    return std::clamp<int64_t>(options.context, 1, config.max_position_embeddings);
}

bool fits(const ModelConfig& config, const LoadOptions& options, int64_t available) {
    return estimate_memory(config, options).total() <= available;
}

int64_t longest_that_fits(const ModelConfig& config, LoadOptions options, int64_t available) {
    int64_t low = 0, high = context_for(config, options) / context_step;
    while (low < high) {
        const int64_t middle = (low + high + 1) / 2;
        options.context = middle * context_step;
        if (fits(config, options, available))
            low = middle;
        else
            high = middle - 1;
    }
    return low * context_step;
}

std::string megabytes(int64_t bytes) {
    return std::to_string(bytes / 1'000'000) + " MB";
}

}  // namespace

MemoryEstimate estimate_memory(const ModelConfig& config, const LoadOptions& options) {
    const bool gpu = device_for(options).kind() != DeviceKind::cpu;
    Weights unused;
    MemoryEstimate memory;
    memory.weights = planned_bytes(plan_weights(config, options.dtype, unused));
    const int64_t context = context_for(config, options);
    const int64_t q = config.num_attention_heads * config.head_dim;
    const int64_t kv = config.num_key_value_heads * config.head_dim;
    memory.kv_cache = 2 * config.num_hidden_layers * dtype_bytes(options.dtype, context * kv);
    const int64_t rows = gpu ? std::min(gpu_workspace_rows, context) : workspace_rows;
    const int64_t row = 4 * config.hidden_size + 3 * q + 2 * kv + 3 * config.intermediate_size;
    memory.workspace = 4 * (rows * row + config.vocab_size + context * config.head_dim);
    if (gpu) memory.workspace += gpu_library_bytes;
    return memory;
}

MemoryFit fit_memory(const ModelConfig& config, const LoadOptions& options) {
    const Device& device = device_for(options);
    MemoryFit fit;
    fit.needed = estimate_memory(config, options);
    fit.context = context_for(config, options);
    fit.available = static_cast<int64_t>(device.free_memory());
    fit.device = device.name();
    if (fit.fits()) return fit;
    fit.shorter_context = longest_that_fits(config, options, fit.available);
    LoadOptions other = options;
    other.dtype = DType::bf16;
    fit.as_bf16 = dtype_bytes(options.dtype, 1) > dtype_bytes(other.dtype, 1) &&
                  fits(config, other, fit.available);
    other = options;
    other.device = nullptr;
    fit.on_cpu = device.kind() != DeviceKind::cpu &&
                 fits(config, other, static_cast<int64_t>(cpu_device().free_memory()));
    return fit;
}

Result<MemoryFit> fit_memory(const std::filesystem::path& path, const LoadOptions& options) {
    try {
        LOCKSTEP_ASSIGN(const ModelSource source, open_model_source(path, false));
        LOCKSTEP_TRY(check_weights(source.weights, source.config));
        return fit_memory(source.config, options);
    } catch (const std::bad_alloc&) {
        return fail(ErrorKind::out_of_memory,
                    path.string() + ": not enough memory to read its headers");
    }
}

std::string MemoryFit::words() const {
    const std::string need = "needs " + megabytes(needed.total()) + " (weights " +
                             megabytes(needed.weights) + ", a context of " +
                             std::to_string(context) + " tokens " + megabytes(needed.kv_cache) +
                             ", workspace " + megabytes(needed.workspace) + ")";
    const std::string free = megabytes(available) + " are free on " + device;
    if (fits()) return need + ", " + free;
    std::string choices;
    const auto add = [&](const std::string& choice) {
        choices += (choices.empty() ? "" : ", or ") + choice;
    };
    if (shorter_context > 0) add("a context of " + std::to_string(shorter_context) + " tokens");
    if (as_bf16) add("bf16 weights");
    if (on_cpu) add("the CPU");
    return need + " but " + free + "; " +
           (choices.empty() ? "a smaller model may fit" : "what fits: " + choices);
}

}  // namespace lockstep
