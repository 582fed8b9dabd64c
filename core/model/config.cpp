// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/model/config_check.h"
#include "core/model/stored_tensor.h"

namespace lockstep {
namespace {

struct ArchitectureName {
    std::string_view name;
    Architecture architecture;
};
constexpr std::array architectures{ArchitectureName{"qwen2", Architecture::qwen2},
                                   ArchitectureName{"llama", Architecture::llama}};

// modeling_rope_utils._compute_llama3_parameters, in fp32 as torch has it.
float llama3_scaled(float inv_freq, const RopeScaling& scaling) {
    const auto old_context = static_cast<double>(scaling.original_max_position_embeddings);
    const double low = scaling.low_freq_factor;
    const double high = scaling.high_freq_factor;
    const auto low_wavelen = static_cast<float>(old_context / low);
    const auto high_wavelen = static_cast<float>(old_context / high);
    const float wavelen = static_cast<float>(2 * std::numbers::pi) / inv_freq;
    if (wavelen < high_wavelen) return inv_freq;
    if (wavelen > low_wavelen) return inv_freq / scaling.factor;
    const float smooth = (static_cast<float>(old_context) / wavelen - scaling.low_freq_factor) /
                         static_cast<float>(high - low);
    return (1 - smooth) * inv_freq / scaling.factor + smooth * inv_freq;
}

}  // namespace

std::vector<float> rope_inv_freq(const ModelConfig& config) {
    const double theta = static_cast<float>(config.rope_theta);  // torch computes in fp32
    std::vector<float> inv_freq(static_cast<size_t>(config.head_dim / 2));
    for (size_t i = 0; i < inv_freq.size(); ++i) {
        const float exponent = static_cast<float>(2 * i) / static_cast<float>(config.head_dim);
        inv_freq[i] = 1.0f / static_cast<float>(std::pow(theta, double{exponent}));
        if (config.rope_scaling.type == RopeScaling::Type::linear) {
            inv_freq[i] /= config.rope_scaling.factor;
        } else if (config.rope_scaling.type == RopeScaling::Type::llama3) {
            inv_freq[i] = llama3_scaled(inv_freq[i], config.rope_scaling);
        }
        if (!config.rope_freq_factors.empty()) inv_freq[i] /= config.rope_freq_factors[i];
    }
    return inv_freq;
}

std::optional<Architecture> architecture_from_name(std::string_view name) {
    const auto* found = std::ranges::find(architectures, name, &ArchitectureName::name);
    if (found == architectures.end()) return std::nullopt;
    return found->architecture;
}

std::string unsupported_architecture(std::string_view name) {
    std::string text = in_quotes(name) + " is not supported; supported: ";
    for (const ArchitectureName& known : architectures) {
        if (&known != architectures.data()) text += ", ";
        text += known.name;
    }
    return text;
}

Status check_config(const ModelConfig& config, const std::string& where) {
    const auto wrong = [&](const std::string& what) {
        return fail(ErrorKind::invalid_file, where + ": " + what);
    };
    if (config.num_attention_heads % config.num_key_value_heads != 0) {
        return wrong("num_key_value_heads: " + std::to_string(config.num_key_value_heads) +
                     " does not divide num_attention_heads " +
                     std::to_string(config.num_attention_heads));
    }
    if (config.head_dim < 2 || config.head_dim % 2 != 0) {
        return wrong("head_dim: " + std::to_string(config.head_dim) +
                     " is not an even number from 2 on");
    }
    if (config.vocab_size < 1 || config.vocab_size > ConfigLimits::vocabulary) {
        return wrong("vocab_size: " + std::to_string(config.vocab_size) + " is outside 1 to " +
                     std::to_string(ConfigLimits::vocabulary));
    }
    for (int32_t id : config.eos_token_ids) {
        if (id < 0 || id >= config.vocab_size) {
            return wrong("eos_token_id: " + std::to_string(id) + " is outside the vocabulary of " +
                         std::to_string(config.vocab_size));
        }
    }
    return {};
}

}  // namespace lockstep
