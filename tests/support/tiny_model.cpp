// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/tiny_model.h"

#include <cstring>
#include <fstream>

namespace lockstep::test {
namespace {

// Every tensor under transformers' name.
std::vector<std::pair<std::string, Tensor>> named_weights(const Model& model) {
    const Weights& weights = model.weights;
    std::vector<std::pair<std::string, Tensor>> named = {
        {"model.embed_tokens.weight", weights.embed_tokens}, {"model.norm.weight", weights.norm}};
    if (!model.config.tie_word_embeddings) named.emplace_back("lm_head.weight", weights.lm_head);
    for (size_t layer = 0; layer < weights.layers.size(); ++layer) {
        const LayerWeights& own = weights.layers[layer];
        const std::pair<const char*, Tensor> all[] = {
            {"input_layernorm.weight", own.input_layernorm},
            {"self_attn.q_proj.weight", own.q_proj},
            {"self_attn.k_proj.weight", own.k_proj},
            {"self_attn.v_proj.weight", own.v_proj},
            {"self_attn.q_proj.bias", own.q_bias},
            {"self_attn.k_proj.bias", own.k_bias},
            {"self_attn.v_proj.bias", own.v_bias},
            {"self_attn.o_proj.weight", own.o_proj},
            {"post_attention_layernorm.weight", own.post_attention_layernorm},
            {"mlp.gate_proj.weight", own.gate_proj},
            {"mlp.up_proj.weight", own.up_proj},
            {"mlp.down_proj.weight", own.down_proj},
        };
        for (const auto& [name, tensor] : all) {
            if (tensor.defined())
                named.emplace_back("model.layers." + std::to_string(layer) + "." + name, tensor);
        }
    }
    return named;
}

ModelConfig read_config(const Json& recipe) {
    ModelConfig config;
    config.architecture =
        recipe["architecture"] == "qwen2" ? Architecture::qwen2 : Architecture::llama;
    config.qkv_bias = config.architecture == Architecture::qwen2;
    config.hidden_size = recipe["hidden_size"];
    config.intermediate_size = recipe["intermediate_size"];
    config.num_hidden_layers = recipe["num_hidden_layers"];
    config.num_attention_heads = recipe["num_attention_heads"];
    config.num_key_value_heads = recipe["num_key_value_heads"];
    config.head_dim = recipe["head_dim"];
    config.vocab_size = recipe["vocab_size"];
    config.max_position_embeddings = 512;
    config.rms_norm_eps = recipe["rms_norm_eps"];
    config.rope_theta = recipe["rope_theta"];
    config.tie_word_embeddings = recipe["tie_word_embeddings"];
    if (!recipe.contains("rope_scaling")) return config;
    const Json& scaling = recipe["rope_scaling"];
    RopeScaling& made = config.rope_scaling;
    made.type =
        scaling["rope_type"] == "linear" ? RopeScaling::Type::linear : RopeScaling::Type::llama3;
    made.factor = scaling["factor"];
    if (made.type == RopeScaling::Type::linear) return config;
    made.low_freq_factor = scaling["low_freq_factor"];
    made.high_freq_factor = scaling["high_freq_factor"];
    made.original_max_position_embeddings = scaling["original_max_position_embeddings"];
    return config;
}

Json config_json(const ModelConfig& config) {
    const bool qwen2 = config.architecture == Architecture::qwen2;
    return {{"architectures", {qwen2 ? "Qwen2ForCausalLM" : "LlamaForCausalLM"}},
            {"model_type", qwen2 ? "qwen2" : "llama"},
            {"hidden_act", "silu"},
            {"torch_dtype", "bfloat16"},
            {"hidden_size", config.hidden_size},
            {"intermediate_size", config.intermediate_size},
            {"num_hidden_layers", config.num_hidden_layers},
            {"num_attention_heads", config.num_attention_heads},
            {"num_key_value_heads", config.num_key_value_heads},
            {"head_dim", config.head_dim},
            {"vocab_size", config.vocab_size},
            {"max_position_embeddings", config.max_position_embeddings},
            {"rms_norm_eps", config.rms_norm_eps},
            {"rope_theta", config.rope_theta},
            {"tie_word_embeddings", config.tie_word_embeddings},
            {"bos_token_id", 257},
            {"eos_token_id", 258}};
}

std::string utf8(int code_point) {
    if (code_point < 0x80) return {static_cast<char>(code_point)};
    return {static_cast<char>(0xc0 | code_point >> 6),
            static_cast<char>(0x80 | (code_point & 0x3f))};
}

// GPT-2's letter for each byte: printable ones stand for themselves, the others from U+0100 on.
Json byte_vocabulary() {
    Json vocabulary = Json::object();
    int next = 256;
    for (int byte = 0; byte < 256; ++byte) {
        const bool printable = (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
        vocabulary[utf8(printable ? byte : next++)] = byte;
    }
    return vocabulary;
}

Json tokenizer_json() {
    Json added = Json::array();
    for (const char* content : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) {
        added.push_back({{"id", 256 + added.size()},
                         {"content", content},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false},
                         {"special", true}});
    }
    const Json byte_level = {{"type", "ByteLevel"},
                             {"add_prefix_space", false},
                             {"trim_offsets", true},
                             {"use_regex", true}};
    const Json model = {{"type", "BPE"},
                        {"dropout", nullptr},
                        {"unk_token", nullptr},
                        {"continuing_subword_prefix", nullptr},
                        {"end_of_word_suffix", nullptr},
                        {"fuse_unk", false},
                        {"byte_fallback", false},
                        {"ignore_merges", false},
                        {"vocab", byte_vocabulary()},
                        {"merges", Json::array()}};
    return {{"version", "1.0"},          {"truncation", nullptr}, {"padding", nullptr},
            {"added_tokens", added},     {"normalizer", nullptr}, {"pre_tokenizer", byte_level},
            {"post_processor", nullptr}, {"decoder", byte_level}, {"model", model}};
}

Json tokenizer_config_json() {
    return {{"tokenizer_class", "GPT2Tokenizer"},
            {"bos_token", "<|im_start|>"},
            {"eos_token", "<|im_end|>"},
            {"add_bos_token", false},
            {"chat_template",
             "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
             "message['content'] + "
             "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
             "'<|im_start|>assistant\n' }}"
             "{% endif %}"}};
}

bool write(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary);
    file << bytes;
    file.close();
    return file.good();
}

std::string safetensors(const Model& model) {
    std::string data;
    OrderedJson header = OrderedJson::object();
    for (const auto& [name, tensor] : named_weights(model)) {
        const size_t first = data.size();
        data.append(tensor.as<const char>(), static_cast<size_t>(tensor.bytes()));
        header[name] = {{"dtype", "BF16"},
                        {"shape", std::vector<int64_t>(tensor.shape.begin(),
                                                       tensor.shape.begin() + tensor.rank)},
                        {"data_offsets", {first, data.size()}}};
    }
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    const uint64_t length = text.size();
    std::string size(sizeof length, '\0');
    std::memcpy(size.data(), &length, sizeof length);
    return size + text + data;
}

}  // namespace

std::filesystem::path tests_file(const std::string& name) {
    const char* const carried = std::getenv("LOCKSTEP_TESTS");  // NOLINT(concurrency-mt-unsafe)
    const std::filesystem::path folder =
        carried ? carried : std::filesystem::path(LOCKSTEP_SOURCE_DIR) / "tests";
    return folder / name;
}

Result<std::vector<TinyRecipe>> read_tiny_recipes() {
    LOCKSTEP_ASSIGN(const Json list, read_json_file(tests_file("golden/model/tiny_recipes.json")));
    std::vector<TinyRecipe> recipes;
    for (const Json& recipe : list)
        recipes.push_back({recipe["name"], recipe["seed"], read_config(recipe)});
    return recipes;
}

TinyRecipe byte_recipe() {
    TinyRecipe recipe{"bytes", 31, {}};
    ModelConfig& config = recipe.config;
    config.hidden_size = 96;
    config.intermediate_size = 200;
    config.num_hidden_layers = 3;
    config.num_attention_heads = 3;
    config.num_key_value_heads = 1;
    config.head_dim = 32;
    config.vocab_size = 259;
    config.max_position_embeddings = 512;
    config.rms_norm_eps = 1e-5f;
    config.tie_word_embeddings = false;
    config.eos_token_ids = {258};
    return recipe;
}

std::shared_ptr<Model> make_tiny_model(const TinyRecipe& recipe, DType dtype) {
    auto model = make_random_model(recipe, dtype);
    return model ? std::move(*model) : nullptr;
}

bool write_tiny_model(const TinyRecipe& recipe, const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    const std::shared_ptr<const Model> model = make_tiny_model(recipe, DType::bf16);
    return write(folder / "config.json", config_json(recipe.config).dump()) &&
           write(folder / "tokenizer.json", tokenizer_json().dump()) &&
           write(folder / "tokenizer_config.json", tokenizer_config_json().dump()) &&
           write(folder / "model.safetensors", safetensors(*model));
}

}  // namespace lockstep::test
