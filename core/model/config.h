// SPDX-License-Identifier: GPL-3.0-or-later
// What a model is, in the field's own names (transformers' config.json). Filled from config.json or
// from GGUF metadata; validated, so that the rest of the program can trust every number here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

enum class Architecture : uint8_t { qwen2, llama };

struct RopeScaling {
    enum class Type : uint8_t { none, linear, llama3 };
    Type type = Type::none;
    float factor = 1;
    float low_freq_factor = 1;
    float high_freq_factor = 4;
    int64_t original_max_position_embeddings = 0;
};

struct ModelConfig {
    Architecture architecture = Architecture::llama;
    int64_t hidden_size = 0;
    int64_t intermediate_size = 0;
    int64_t num_hidden_layers = 0;
    int64_t num_attention_heads = 0;
    int64_t num_key_value_heads = 0;
    int64_t head_dim = 0;
    int64_t vocab_size = 0;
    int64_t max_position_embeddings = 0;
    float rms_norm_eps = 0;
    double rope_theta = 10000;
    RopeScaling rope_scaling;
    // llama3 frequency factors as a GGUF's rope_freqs.weight gives them [head_dim / 2]: inv_freq is
    // divided by them. Empty where the scaling is given by numbers above, or there is none.
    std::vector<float> rope_freq_factors;
    bool tie_word_embeddings = false;
    bool qkv_bias = false;
    std::vector<int32_t> eos_token_ids;  // any of them ends an answer (generation_config's too)
};

// inv_freq [head_dim / 2] in fp32, scaling applied, as transformers' rope_utils computes it.
std::vector<float> rope_inv_freq(const ModelConfig& config);

}  // namespace lockstep
