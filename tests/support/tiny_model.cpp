// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/tiny_model.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>

#include "core/run/random.h"

namespace lockstep::test {
namespace {

// A tensor of the model before it has memory: its name in transformers and how it is drawn.
struct Drawn {
    std::string name;
    uint64_t number;
    std::vector<int64_t> shape;
    double middle, spread;
    Tensor* target;  // in Weights
};

int64_t numel(const Drawn& drawn) {
    int64_t count = 1;
    for (const int64_t size : drawn.shape) count *= size;
    return count;
}

// Uniform in [middle - spread, middle + spread), rounded to bfloat16: make_tiny.py's draw().
std::vector<uint16_t> draw(const TinyRecipe& recipe, const Drawn& drawn) {
    Random random(recipe.seed * 1000 + drawn.number);
    std::vector<uint16_t> values(static_cast<size_t>(numel(drawn)));
    for (uint16_t& value : values) {
        const double unit = static_cast<double>(random.next() >> 40) / 0x1p24;
        value = bf16_from_float(static_cast<float>(drawn.middle + (2 * unit - 1) * drawn.spread));
    }
    return values;
}

void list_layer(const ModelConfig& config, int64_t layer, LayerWeights& weights,
                std::vector<Drawn>& list) {
    const int64_t hidden = config.hidden_size, inner = config.intermediate_size;
    const int64_t q_rows = config.num_attention_heads * config.head_dim;
    const int64_t kv_rows = config.num_key_value_heads * config.head_dim;
    const std::string base = "model.layers." + std::to_string(layer) + ".";
    uint64_t number = 16 * (static_cast<uint64_t>(layer) + 1);
    const auto matrix = [&](const char* name, int64_t rows, int64_t columns, Tensor& target) {
        const double spread = std::sqrt(3.0 / static_cast<double>(columns));
        list.push_back({base + name + ".weight", number++, {rows, columns}, 0, spread, &target});
    };
    const auto norm = [&](const char* name, Tensor& target) {
        list.push_back({base + name + ".weight", number++, {hidden}, 1, 0.3, &target});
    };
    const auto bias = [&](const char* name, int64_t rows, Tensor& target) {
        if (config.qkv_bias) list.push_back({base + name + ".bias", number, {rows}, 0, 1, &target});
        ++number;
    };
    norm("input_layernorm", weights.input_layernorm);
    matrix("self_attn.q_proj", q_rows, hidden, weights.q_proj);
    matrix("self_attn.k_proj", kv_rows, hidden, weights.k_proj);
    matrix("self_attn.v_proj", kv_rows, hidden, weights.v_proj);
    bias("self_attn.q_proj", q_rows, weights.q_bias);
    bias("self_attn.k_proj", kv_rows, weights.k_bias);
    bias("self_attn.v_proj", kv_rows, weights.v_bias);
    matrix("self_attn.o_proj", hidden, q_rows, weights.o_proj);
    norm("post_attention_layernorm", weights.post_attention_layernorm);
    matrix("mlp.gate_proj", inner, hidden, weights.gate_proj);
    matrix("mlp.up_proj", inner, hidden, weights.up_proj);
    matrix("mlp.down_proj", hidden, inner, weights.down_proj);
}

std::vector<Drawn> list_tensors(const ModelConfig& config, Weights& weights) {
    const int64_t hidden = config.hidden_size, vocab = config.vocab_size;
    std::vector<Drawn> list = {
        {"model.embed_tokens.weight", 0, {vocab, hidden}, 0, 1.5, &weights.embed_tokens},
        {"model.norm.weight", 1, {hidden}, 1, 0.3, &weights.norm},
    };
    if (!config.tie_word_embeddings) {
        const double spread = 2 * std::sqrt(3.0 / static_cast<double>(hidden));
        list.push_back({"lm_head.weight", 2, {vocab, hidden}, 0, spread, &weights.lm_head});
    }
    weights.layers.resize(static_cast<size_t>(config.num_hidden_layers));
    for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
        list_layer(config, layer, weights.layers[static_cast<size_t>(layer)], list);
    return list;
}

Tensor view(void* data, DType dtype, const std::vector<int64_t>& shape) {
    return shape.size() == 1 ? Tensor(data, dtype, {shape[0]})
                             : Tensor(data, dtype, {shape[0], shape[1]});
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

std::string safetensors(const TinyRecipe& recipe) {
    Weights unused;
    std::string data;
    OrderedJson header = OrderedJson::object();
    for (const Drawn& drawn : list_tensors(recipe.config, unused)) {
        const std::vector<uint16_t> values = draw(recipe, drawn);
        const size_t first = data.size();
        data.append(reinterpret_cast<const char*>(values.data()), values.size() * 2);
        header[drawn.name] = {
            {"dtype", "BF16"}, {"shape", drawn.shape}, {"data_offsets", {first, data.size()}}};
    }
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    const uint64_t length = text.size();
    std::string size(sizeof length, '\0');
    std::memcpy(size.data(), &length, sizeof length);
    return size + text + data;
}

}  // namespace

Result<std::vector<TinyRecipe>> read_tiny_recipes() {
    LOCKSTEP_ASSIGN(const Json list, read_json_file(std::string(LOCKSTEP_SOURCE_DIR) +
                                                    "/tests/golden/model/tiny_recipes.json"));
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
    auto model = std::make_shared<Model>();
    model->name = recipe.name;
    model->dtype = dtype;
    model->config = recipe.config;
    Weights& weights = model->weights;
    for (const Drawn& drawn : list_tensors(recipe.config, weights)) {
        const std::vector<uint16_t> values = draw(recipe, drawn);
        auto buffer = cpu_device().allocate(static_cast<size_t>(dtype_bytes(dtype, numel(drawn))));
        if (!buffer) return nullptr;
        for (size_t i = 0; i < values.size(); ++i)
            store_element(buffer->data(), dtype, static_cast<int64_t>(i),
                          float_from_bf16(values[i]));
        *drawn.target = view(buffer->data(), dtype, drawn.shape);
        weights.buffers.push_back(std::move(*buffer));
    }
    if (recipe.config.tie_word_embeddings) weights.lm_head = weights.embed_tokens;
    return model;
}

bool write_tiny_model(const TinyRecipe& recipe, const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    return write(folder / "config.json", config_json(recipe.config).dump()) &&
           write(folder / "tokenizer.json", tokenizer_json().dump()) &&
           write(folder / "tokenizer_config.json", tokenizer_config_json().dump()) &&
           write(folder / "model.safetensors", safetensors(recipe));
}

}  // namespace lockstep::test
