// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/gguf_model.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/model/config_check.h"
#include "core/model/dequantize.h"

namespace lockstep {
namespace {

const StoredTensor* find_tensor(const std::vector<StoredTensor>& tensors, std::string_view name) {
    const auto found = std::ranges::find(tensors, name, &StoredTensor::name);
    return found == tensors.end() ? nullptr : &*found;
}

// Keys that an architecture's name stands in front of: "llama.block_count".
class ArchitectureKeys {
  public:
    ArchitectureKeys(const GgufMetadata& metadata, std::string prefix)
        : metadata_(metadata), prefix_(std::move(prefix)) {}
    std::string operator()(std::string_view key) const { return prefix_ + '.' + std::string(key); }
    bool has(std::string_view key) const { return metadata_.has((*this)(key)); }
    Result<int64_t> integer(std::string_view key, int64_t max) const {
        return metadata_.integer((*this)(key), 1, max);
    }
    Result<int64_t> integer_or(std::string_view key, int64_t fallback, int64_t max) const {
        return metadata_.integer_or((*this)(key), fallback, 1, max);
    }
    // A setting that must keep the value that leaves the arithmetic as the engine has it.
    Status must_be(std::string_view key, int64_t neutral) const {
        LOCKSTEP_ASSIGN(const int64_t value,
                        metadata_.integer_or((*this)(key), neutral, 0, INT64_MAX));
        if (value == neutral) return {};
        return metadata_.error(
            (*this)(key),
            std::to_string(value) + " is not supported; supported: " + std::to_string(neutral),
            ErrorKind::unsupported);
    }

  private:
    const GgufMetadata& metadata_;
    std::string prefix_;
};

Status read_sizes(const ArchitectureKeys& keys, ModelConfig& config) {
    LOCKSTEP_ASSIGN(config.num_hidden_layers, keys.integer("block_count", ConfigLimits::layers));
    LOCKSTEP_ASSIGN(config.max_position_embeddings,
                    keys.integer("context_length", ConfigLimits::positions));
    LOCKSTEP_ASSIGN(config.hidden_size, keys.integer("embedding_length", ConfigLimits::size));
    LOCKSTEP_ASSIGN(config.intermediate_size,
                    keys.integer("feed_forward_length", ConfigLimits::size));
    LOCKSTEP_ASSIGN(config.num_attention_heads,
                    keys.integer("attention.head_count", ConfigLimits::heads));
    LOCKSTEP_ASSIGN(config.num_key_value_heads,
                    keys.integer_or("attention.head_count_kv", config.num_attention_heads,
                                    ConfigLimits::heads));
    LOCKSTEP_ASSIGN(
        config.head_dim,
        keys.integer_or("attention.key_length", config.hidden_size / config.num_attention_heads,
                        ConfigLimits::head_dim));
    LOCKSTEP_TRY(keys.must_be("attention.value_length", config.head_dim));
    LOCKSTEP_TRY(keys.must_be("rope.dimension_count", config.head_dim));
    LOCKSTEP_TRY(keys.must_be("expert_count", 0));
    if (!keys.has("attention.key_length") && config.hidden_size % config.num_attention_heads != 0) {
        return fail(ErrorKind::invalid_file,
                    keys("embedding_length") + ": " + std::to_string(config.hidden_size) +
                        " is not a multiple of " + keys("attention.head_count") + " " +
                        std::to_string(config.num_attention_heads));
    }
    return {};
}

Status read_rope(const GgufMetadata& metadata, const ArchitectureKeys& keys, ModelConfig& config) {
    LOCKSTEP_ASSIGN(config.rope_theta, metadata.number_or(keys("rope.freq_base"), 10000, 1, 1e12));
    LOCKSTEP_ASSIGN(const double attention_factor,
                    metadata.number_or(keys("rope.scaling.attn_factor"), 1, 0, 1e6));
    if (attention_factor != 1) {
        return metadata.error(keys("rope.scaling.attn_factor"), "only 1 is supported",
                              ErrorKind::unsupported);
    }
    const char* old_key = "rope.scale_linear";  // before rope.scaling.* existed
    LOCKSTEP_ASSIGN(std::string type, metadata.string_or(keys("rope.scaling.type"),
                                                         keys.has(old_key) ? "linear" : "none"));
    if (type == "none") return {};
    if (type != "linear") {
        return metadata.error(keys("rope.scaling.type"),
                              in_quotes(type) +
                                  " is not supported; supported: none, linear, "
                                  "and llama3 by rope_freqs.weight",
                              ErrorKind::unsupported);
    }
    const std::string factor_key = keys(keys.has(old_key) ? old_key : "rope.scaling.factor");
    LOCKSTEP_ASSIGN(const double factor, metadata.number(factor_key, 1e-3, 1e6));
    config.rope_scaling.type = RopeScaling::Type::linear;
    config.rope_scaling.factor = static_cast<float>(factor);
    return {};
}

// llama3 scaling comes as a tensor of divisors, [head_dim / 2] in f32.
Status read_rope_factors(const std::vector<StoredTensor>& tensors, ModelConfig& config) {
    const StoredTensor* factors = find_tensor(tensors, "rope_freqs.weight");
    if (!factors) return {};
    if (factors->dtype != DType::f32 ||
        factors->shape != std::vector<int64_t>{config.head_dim / 2}) {
        return fail(ErrorKind::invalid_file, factors->where() + ": must be F32 of [" +
                                                 std::to_string(config.head_dim / 2) + "]");
    }
    config.rope_freq_factors.resize(static_cast<size_t>(config.head_dim / 2));
    expand_to_f32(DType::f32, factors->data.data(), config.rope_freq_factors.data(),
                  config.head_dim / 2);
    for (float factor : config.rope_freq_factors) {
        if (!std::isfinite(factor) || factor <= 0) {
            return fail(ErrorKind::invalid_file,
                        factors->where() + ": holds a factor that is not a positive number");
        }
    }
    return {};
}

Result<std::optional<int32_t>> token_id(const GgufMetadata& metadata, const char* key,
                                        size_t tokens) {
    if (!metadata.has(key)) return std::optional<int32_t>();
    LOCKSTEP_ASSIGN(const int64_t id, metadata.integer(key, 0, static_cast<int64_t>(tokens) - 1));
    return std::optional<int32_t>(static_cast<int32_t>(id));
}

Result<std::optional<bool>> optional_boolean(const GgufMetadata& metadata, const char* key) {
    if (!metadata.has(key)) return std::optional<bool>();
    LOCKSTEP_ASSIGN(const bool value, metadata.boolean_or(key, false));
    return std::optional<bool>(value);
}

Status read_types(const GgufMetadata& metadata, Vocabulary& vocabulary) {
    const char* key = "tokenizer.ggml.token_type";
    LOCKSTEP_ASSIGN(const auto types, metadata.integers_or_none(key));
    if (!types.empty() && types.size() != vocabulary.tokens.size()) {
        return metadata.error(key, "has " + std::to_string(types.size()) + " entries for " +
                                       std::to_string(vocabulary.tokens.size()) + " tokens");
    }
    vocabulary.types.reserve(types.size());
    for (int64_t type : types) {
        if (type < 1 || type > 6)
            return metadata.error(key, std::to_string(type) + " is outside 1 to 6");
        vocabulary.types.push_back(static_cast<TokenType>(type));
    }
    return {};
}

Status read_scores(const GgufMetadata& metadata, Vocabulary& vocabulary) {
    const char* key = "tokenizer.ggml.scores";
    LOCKSTEP_ASSIGN(vocabulary.scores, metadata.floats_or_none(key));
    if (!vocabulary.scores.empty() && vocabulary.scores.size() != vocabulary.tokens.size()) {
        return metadata.error(key, "has " + std::to_string(vocabulary.scores.size()) +
                                       " entries for " + std::to_string(vocabulary.tokens.size()) +
                                       " tokens");
    }
    if (!std::ranges::all_of(vocabulary.scores, [](float score) { return std::isfinite(score); })) {
        return metadata.error(key, "holds a score that is not a finite number");
    }
    return {};
}

// Tokens that end a turn in the chat formats of the families, beside eos_token_id: a GGUF says only
// one of them, transformers' generation_config lists them all.
constexpr std::array end_of_turn{"<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|endoftext|>",
                                 "<|end_of_text|>"};

}  // namespace

Result<std::vector<int32_t>> gguf_eos_token_ids(const GgufMetadata& metadata,
                                                const Vocabulary& vocabulary) {
    std::vector<int32_t> ids;
    if (vocabulary.eos_token_id) ids.push_back(*vocabulary.eos_token_id);
    for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
        LOCKSTEP_ASSIGN(const auto id, token_id(metadata, key, vocabulary.tokens.size()));
        if (id) ids.push_back(*id);
    }
    for (size_t i = 0; i < vocabulary.types.size(); ++i) {
        const bool ends = vocabulary.types[i] == TokenType::control &&
                          std::ranges::find(end_of_turn, vocabulary.tokens[i]) != end_of_turn.end();
        if (ends) ids.push_back(static_cast<int32_t>(i));
    }
    std::ranges::sort(ids);
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
}

Result<ModelConfig> gguf_config(const GgufMetadata& metadata,
                                const std::vector<StoredTensor>& tensors,
                                const Vocabulary& vocabulary) {
    ModelConfig config;
    LOCKSTEP_ASSIGN(const std::string architecture, metadata.string("general.architecture"));
    const auto known = architecture_from_name(architecture);
    if (!known) {
        return metadata.error("general.architecture", unsupported_architecture(architecture),
                              ErrorKind::unsupported);
    }
    config.architecture = *known;
    const ArchitectureKeys keys(metadata, architecture);
    if (auto sizes = read_sizes(keys, config); !sizes)
        return within(metadata.path().string(), sizes.error());
    LOCKSTEP_ASSIGN(const double eps,
                    metadata.number(keys("attention.layer_norm_rms_epsilon"), 1e-12, 1e-1));
    config.rms_norm_eps = static_cast<float>(eps);
    LOCKSTEP_TRY(read_rope(metadata, keys, config));
    LOCKSTEP_TRY(read_rope_factors(tensors, config));
    LOCKSTEP_ASSIGN(config.eos_token_ids, gguf_eos_token_ids(metadata, vocabulary));
    config.qkv_bias = find_tensor(tensors, "blk.0.attn_q.bias") != nullptr;
    config.tie_word_embeddings = find_tensor(tensors, "output.weight") == nullptr;
    const StoredTensor* embedding = find_tensor(tensors, "token_embd.weight");
    if (!embedding)
        return fail(ErrorKind::invalid_file,
                    metadata.path().string() + ": tensor token_embd.weight is missing");
    config.vocab_size = embedding->shape.front();
    LOCKSTEP_TRY(check_config(config, metadata.path().string()));
    const auto tokens = static_cast<int64_t>(vocabulary.tokens.size());
    if (tokens > config.vocab_size) {
        return metadata.error("tokenizer.ggml.tokens",
                              std::to_string(tokens) + " tokens are more than the " +
                                  std::to_string(config.vocab_size) + " rows of token_embd.weight");
    }
    return config;
}

Result<Vocabulary> gguf_vocabulary(const GgufMetadata& metadata) {
    Vocabulary vocabulary;
    LOCKSTEP_ASSIGN(vocabulary.model, metadata.string("tokenizer.ggml.model"));
    LOCKSTEP_ASSIGN(vocabulary.pre, metadata.string_or("tokenizer.ggml.pre", ""));
    LOCKSTEP_ASSIGN(vocabulary.tokens, metadata.strings_or_none("tokenizer.ggml.tokens"));
    if (vocabulary.tokens.empty()) {
        return metadata.error("tokenizer.ggml.tokens",
                              metadata.has("tokenizer.ggml.tokens") ? "is empty" : "is missing");
    }
    const auto count = vocabulary.tokens.size();
    if (count > static_cast<size_t>(ConfigLimits::vocabulary)) {
        return metadata.error("tokenizer.ggml.tokens",
                              std::to_string(count) + " tokens are too many");
    }
    LOCKSTEP_TRY(read_scores(metadata, vocabulary));
    LOCKSTEP_TRY(read_types(metadata, vocabulary));
    LOCKSTEP_ASSIGN(vocabulary.merges, metadata.strings_or_none("tokenizer.ggml.merges"));
    LOCKSTEP_ASSIGN(vocabulary.bos_token_id,
                    token_id(metadata, "tokenizer.ggml.bos_token_id", count));
    LOCKSTEP_ASSIGN(vocabulary.eos_token_id,
                    token_id(metadata, "tokenizer.ggml.eos_token_id", count));
    LOCKSTEP_ASSIGN(vocabulary.unknown_token_id,
                    token_id(metadata, "tokenizer.ggml.unknown_token_id", count));
    LOCKSTEP_ASSIGN(vocabulary.padding_token_id,
                    token_id(metadata, "tokenizer.ggml.padding_token_id", count));
    LOCKSTEP_ASSIGN(vocabulary.add_bos_token,
                    optional_boolean(metadata, "tokenizer.ggml.add_bos_token"));
    LOCKSTEP_ASSIGN(vocabulary.add_eos_token,
                    optional_boolean(metadata, "tokenizer.ggml.add_eos_token"));
    LOCKSTEP_ASSIGN(vocabulary.add_space_prefix,
                    optional_boolean(metadata, "tokenizer.ggml.add_space_prefix"));
    return vocabulary;
}

std::string gguf_source_format(const GgufMetadata& metadata) {
    struct FileType {
        int64_t id;
        const char* name;
    };
    // llama.cpp's llama_ftype, those whose tensors can be expanded.
    static constexpr std::array names{
        FileType{0, "F32"},     FileType{1, "F16"},     FileType{2, "Q4_0"},
        FileType{3, "Q4_1"},    FileType{7, "Q8_0"},    FileType{8, "Q5_0"},
        FileType{9, "Q5_1"},    FileType{14, "Q4_K_S"}, FileType{15, "Q4_K_M"},
        FileType{16, "Q5_K_S"}, FileType{17, "Q5_K_M"}, FileType{18, "Q6_K"},
        FileType{32, "BF16"}};
    const auto type = metadata.integer_or("general.file_type", -1, 0, 1000);
    const auto* found = std::ranges::find(names, type.value_or(-1), &FileType::id);
    return found == names.end() ? "GGUF" : std::string("GGUF ") + found->name;
}

}  // namespace lockstep
