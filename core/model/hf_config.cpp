// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/hf_config.h"

#include <algorithm>

#include "core/base/json.h"
#include "core/model/config_check.h"
#include "core/model/stored_tensor.h"

namespace lockstep {
namespace {

constexpr JsonLimits config_limits{size_t{16} << 20, 32};

Status check_architecture(const JsonObject& json, ModelConfig& config) {
    LOCKSTEP_ASSIGN(const std::string type, json.string("model_type"));
    const auto known = architecture_from_name(type);
    if (!known)
        return json.error("model_type", unsupported_architecture(type), ErrorKind::unsupported);
    config.architecture = *known;
    if (!json.has("architectures")) return {};
    const char* wanted = *known == Architecture::qwen2 ? "Qwen2ForCausalLM" : "LlamaForCausalLM";
    LOCKSTEP_ASSIGN(const Json* list, json.array("architectures"));
    if (std::ranges::find(*list, Json(wanted)) != list->end()) return {};
    return json.error("architectures",
                      printable(list->dump()) + " is not supported; supported: " + wanted,
                      ErrorKind::unsupported);
}

Status read_sizes(const JsonObject& json, ModelConfig& config) {
    using Limits = ConfigLimits;
    LOCKSTEP_ASSIGN(config.hidden_size, json.integer("hidden_size", 1, Limits::size));
    LOCKSTEP_ASSIGN(config.intermediate_size, json.integer("intermediate_size", 1, Limits::size));
    LOCKSTEP_ASSIGN(config.num_hidden_layers, json.integer("num_hidden_layers", 1, Limits::layers));
    LOCKSTEP_ASSIGN(config.num_attention_heads,
                    json.integer("num_attention_heads", 1, Limits::heads));
    LOCKSTEP_ASSIGN(
        config.num_key_value_heads,
        json.integer_or("num_key_value_heads", config.num_attention_heads, 1, Limits::heads));
    LOCKSTEP_ASSIGN(config.vocab_size, json.integer("vocab_size", 1, Limits::vocabulary));
    const bool qwen2 = config.architecture == Architecture::qwen2;
    LOCKSTEP_ASSIGN(
        config.max_position_embeddings,
        json.integer_or("max_position_embeddings", qwen2 ? 32768 : 2048, 1, Limits::positions));
    if (!json.has("head_dim") && config.hidden_size % config.num_attention_heads != 0) {
        return json.error("hidden_size", std::to_string(config.hidden_size) +
                                             " is not a multiple of num_attention_heads " +
                                             std::to_string(config.num_attention_heads));
    }
    LOCKSTEP_ASSIGN(config.head_dim,
                    json.integer_or("head_dim", config.hidden_size / config.num_attention_heads, 1,
                                    Limits::head_dim));
    LOCKSTEP_ASSIGN(const double eps, json.number_or("rms_norm_eps", 1e-6, 1e-12, 1e-1));
    config.rms_norm_eps = static_cast<float>(eps);
    return {};
}

Status read_llama3(const JsonObject& rope, RopeScaling& scaling, int64_t max_positions) {
    LOCKSTEP_ASSIGN(const double low, rope.number("low_freq_factor", 1e-3, 1e6));
    LOCKSTEP_ASSIGN(const double high, rope.number("high_freq_factor", 1e-3, 1e6));
    if (high <= low) return rope.error("high_freq_factor", "must be greater than low_freq_factor");
    LOCKSTEP_ASSIGN(scaling.original_max_position_embeddings,
                    rope.integer_or("original_max_position_embeddings", max_positions, 1,
                                    ConfigLimits::positions));
    scaling.low_freq_factor = static_cast<float>(low);
    scaling.high_freq_factor = static_cast<float>(high);
    return {};
}

// `rope` is rope_scaling (transformers 4) or rope_parameters (transformers 5, with rope_theta in
// it).
Status read_rope_object(const JsonObject& rope, ModelConfig& config) {
    const char* type_key = rope.has("rope_type") ? "rope_type" : "type";
    LOCKSTEP_ASSIGN(const std::string type, rope.string_or(type_key, "default"));
    LOCKSTEP_ASSIGN(config.rope_theta, rope.number_or("rope_theta", config.rope_theta, 1, 1e12));
    LOCKSTEP_ASSIGN(const double rotary, rope.number_or("partial_rotary_factor", 1, 0, 1));
    if (rotary != 1) {
        return rope.error("partial_rotary_factor", "only 1 is supported", ErrorKind::unsupported);
    }
    for (const auto& [key, value] : rope.json().items()) {
        if (value.is_object()) {
            return rope.error(printable(key), "rope parameters per layer type are not supported",
                              ErrorKind::unsupported);
        }
    }
    if (type == "default") return {};
    if (type != "linear" && type != "llama3") {
        return rope.error(type_key,
                          in_quotes(type) + " is not supported; supported: default, linear, llama3",
                          ErrorKind::unsupported);
    }
    LOCKSTEP_ASSIGN(const double factor, rope.number("factor", 1e-3, 1e6));
    config.rope_scaling.factor = static_cast<float>(factor);
    config.rope_scaling.type =
        type == "linear" ? RopeScaling::Type::linear : RopeScaling::Type::llama3;
    if (type == "linear") return {};
    return read_llama3(rope, config.rope_scaling, config.max_position_embeddings);
}

Status read_rope(const JsonObject& json, ModelConfig& config) {
    LOCKSTEP_ASSIGN(config.rope_theta, json.number_or("rope_theta", 10000, 1, 1e12));
    for (const char* key : {"rope_scaling", "rope_parameters"}) {
        if (!json.has(key)) continue;
        LOCKSTEP_ASSIGN(const JsonObject rope, json.object(key));
        LOCKSTEP_TRY(read_rope_object(rope, config));
    }
    return {};
}

// In use: switched on, and for some layer.
Status check_sliding_window(const JsonObject& json, const ModelConfig& config) {
    LOCKSTEP_ASSIGN(const bool used, json.boolean_or("use_sliding_window", false));
    LOCKSTEP_ASSIGN(const int64_t first_layer,
                    json.integer_or("max_window_layers", 28, 0, INT32_MAX));
    if (used && json.has("sliding_window") && first_layer < config.num_hidden_layers) {
        return json.error("use_sliding_window", "sliding-window attention is not supported",
                          ErrorKind::unsupported);
    }
    if (!json.has("layer_types")) return {};
    LOCKSTEP_ASSIGN(const Json* types, json.array("layer_types"));
    for (const Json& type : *types) {
        if (type == "full_attention") continue;
        return json.error("layer_types",
                          printable(type.dump()) + " is not supported; supported: full_attention",
                          ErrorKind::unsupported);
    }
    return {};
}

Status check_settings(const JsonObject& json, ModelConfig& config) {
    LOCKSTEP_ASSIGN(const std::string act, json.string_or("hidden_act", "silu"));
    if (act != "silu" && act != "swish") {
        return json.error("hidden_act", in_quotes(act) + " is not supported; supported: silu",
                          ErrorKind::unsupported);
    }
    LOCKSTEP_ASSIGN(const bool mlp_bias, json.boolean_or("mlp_bias", false));
    if (mlp_bias) return json.error("mlp_bias", "true is not supported", ErrorKind::unsupported);
    LOCKSTEP_ASSIGN(const bool attention_bias, json.boolean_or("attention_bias", false));
    config.qkv_bias = attention_bias || config.architecture == Architecture::qwen2;
    LOCKSTEP_ASSIGN(config.tie_word_embeddings, json.boolean_or("tie_word_embeddings", false));
    LOCKSTEP_ASSIGN(const double rotary, json.number_or("partial_rotary_factor", 1, 0, 1));
    if (rotary != 1) {
        return json.error("partial_rotary_factor", "only 1 is supported", ErrorKind::unsupported);
    }
    if (json.has("quantization_config")) {
        return json.error("quantization_config",
                          "quantised safetensors are not supported; a GGUF of the model may be",
                          ErrorKind::unsupported);
    }
    return check_sliding_window(json, config);
}

void add_eos(const std::vector<int64_t>& ids, ModelConfig& config) {
    for (int64_t id : ids) config.eos_token_ids.push_back(static_cast<int32_t>(id));
    auto& all = config.eos_token_ids;
    std::ranges::sort(all);
    all.erase(std::unique(all.begin(), all.end()), all.end());
}

// Fills a default where the file has one.
Status read_number(const JsonObject& json, const char* key, double min, double max,
                   std::optional<double>& value) {
    if (!json.has(key)) return {};
    LOCKSTEP_ASSIGN(const double number, json.number(key, min, max));
    value = number;
    return {};
}

}  // namespace

Result<ModelConfig> read_hf_config(const std::filesystem::path& path) {
    LOCKSTEP_ASSIGN(const Json file, read_json_file(path, config_limits));
    LOCKSTEP_ASSIGN(const JsonObject json, JsonObject::of(file, path.string()));
    ModelConfig config;
    LOCKSTEP_TRY(check_architecture(json, config));
    LOCKSTEP_TRY(read_sizes(json, config));
    LOCKSTEP_TRY(read_rope(json, config));
    LOCKSTEP_TRY(check_settings(json, config));
    LOCKSTEP_ASSIGN(auto eos, json.integers_or_none("eos_token_id", 0, config.vocab_size - 1));
    const bool llama = config.architecture == Architecture::llama;
    if (llama && !json.json().contains("eos_token_id") && config.vocab_size > 2) eos = {2};
    add_eos(eos, config);
    LOCKSTEP_TRY(check_config(config, path.string()));
    return config;
}

Result<GenerationDefaults> read_generation_config(const std::filesystem::path& path,
                                                  ModelConfig& config) {
    GenerationDefaults defaults;
    LOCKSTEP_ASSIGN(const Json file, read_json_file(path, config_limits));
    LOCKSTEP_ASSIGN(const JsonObject json, JsonObject::of(file, path.string()));
    LOCKSTEP_ASSIGN(const auto eos,
                    json.integers_or_none("eos_token_id", 0, config.vocab_size - 1));
    add_eos(eos, config);
    LOCKSTEP_TRY(read_number(json, "temperature", 0, 100, defaults.temperature));
    LOCKSTEP_TRY(read_number(json, "top_p", 0, 1, defaults.top_p));
    LOCKSTEP_TRY(read_number(json, "min_p", 0, 1, defaults.min_p));
    LOCKSTEP_TRY(read_number(json, "repetition_penalty", 1e-3, 100, defaults.repetition_penalty));
    if (json.has("top_k")) {
        LOCKSTEP_ASSIGN(const int64_t top_k, json.integer("top_k", 0, INT32_MAX));
        defaults.top_k = static_cast<int>(top_k);
    }
    return defaults;
}

}  // namespace lockstep
