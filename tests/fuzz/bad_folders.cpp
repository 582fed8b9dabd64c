// SPDX-License-Identifier: GPL-3.0-or-later
#include <sys/stat.h>

#include "tests/fuzz/bad_case.h"
#include "tests/support/model_files.h"

namespace lockstep::test {
namespace {

using std::filesystem::path;

// config.json with one key changed (null removes it).
BadCase config(const char* key, const Json& value, const char* what) {
    const bool missing = value.is_null();
    return {std::string("config: ") + key + (missing ? " is missing" : " = " + value.dump()),
            [=](const path& folder) {
                write_tiny_folder(folder);
                Json json = tiny_config();
                if (missing)
                    json.erase(key);
                else
                    json[key] = value;
                write_file(folder / "config.json", json.dump());
                return folder;
            },
            {"config.json: ", std::string(key), what}};
}

BadCase text(const char* file, const char* name, const std::string& bytes,
             std::vector<std::string> message) {
    message.push_back(std::string(file) + ": ");
    return {std::string(file) + ": " + name,
            [=](const path& folder) {
                write_tiny_folder(folder);
                write_file(folder / file, bytes);
                return folder;
            },
            std::move(message)};
}

BadCase folder_case(const char* name, std::function<path(const path&)> make,
                    std::vector<std::string> message) {
    return {std::string("folder: ") + name, std::move(make), std::move(message)};
}

// A folder that loads, then changed.
BadCase changed(const char* name, std::function<void(const path&)> change,
                std::vector<std::string> message) {
    return folder_case(
        name,
        [change = std::move(change)](const path& folder) {
            write_tiny_folder(folder);
            change(folder);
            return folder;
        },
        std::move(message));
}

void replace_by_directory(const path& file) {
    std::filesystem::remove(file);
    std::filesystem::create_directory(file);
}

}  // namespace

std::vector<BadCase> bad_configs() {
    const auto rope = [](const Json& value, const char* what) {
        return config("rope_scaling", value, what);
    };
    const Json llama3 = {{"rope_type", "llama3"},
                         {"factor", 8.0},
                         {"low_freq_factor", 1.0},
                         {"high_freq_factor", 4.0},
                         {"original_max_position_embeddings", 8192}};
    const auto llama3_with = [&](const char* key, const Json& value) {
        Json changed_rope = llama3;
        if (value.is_null())
            changed_rope.erase(key);
        else
            changed_rope[key] = value;
        return changed_rope;
    };
    return {
        text("config.json", "empty", "", {"line 1, column 1"}),
        text("config.json", "a list", "[]", {"must be an object, not an array"}),
        text("config.json", "not JSON", "hidden_size: 32", {"line 1, column 1"}),
        text("config.json", "cut short", tiny_config().dump().substr(0, 50), {"line 1, column 50"}),
        text("config.json", "NaN", "{\"hidden_size\": NaN}", {"line 1, column 17"}),
        text("config.json", "a key twice", "{\"hidden_size\": 32, \"hidden_size\": 64}",
             {"duplicate key \"hidden_size\""}),
        text("config.json", "not UTF-8", "{\"model_type\": \"\xff\xfe\"}", {"ill-formed UTF-8"}),
        text("config.json", "UTF-16", std::string("\xff\xfe{\0}\0", 6), {"line 1, column 1"}),
        text("config.json", "a million brackets", std::string(1'000'000, '['),
             {"nested deeper than 32 levels"}),
        config("model_type", nullptr, "is missing"),
        config("model_type", "gemma3", "\"gemma3\" is not supported; supported: qwen2, llama"),
        config("model_type", 7, "must be a string, not an integer"),
        config("architectures", {"LlamaForSequenceClassification"},
               "is not supported; supported: LlamaForCausalLM"),
        config("architectures", "LlamaForCausalLM", "must be an array"),
        config("hidden_size", nullptr, "is missing"),
        config("hidden_size", 0, "0 is outside 1 to 1048576"),
        config("hidden_size", -32, "-32 is outside"),
        config("hidden_size", UINT64_MAX, "18446744073709551615 is outside"),
        config("hidden_size", 32.0, "must be an integer"),
        config("hidden_size", "32", "must be an integer, not a string"),
        config("hidden_size", Json::array({32}), "must be an integer, not an array"),
        config("hidden_size", 33, "33 is not a multiple of num_attention_heads 2"),
        config("intermediate_size", 0, "0 is outside"),
        config("num_hidden_layers", 0, "0 is outside 1 to 1024"),
        config("num_hidden_layers", 1'000'000'000, "1000000000 is outside 1 to 1024"),
        config("num_attention_heads", 0, "0 is outside"),
        config("num_key_value_heads", 0, "0 is outside"),
        config("num_key_value_heads", 3, "3 does not divide num_attention_heads 2"),
        config("head_dim", 15, "15 is not an even number"),
        config("head_dim", 1'000'000, "1000000 is outside"),
        config("vocab_size", 0, "0 is outside"),
        config("vocab_size", int64_t{1} << 40, "1099511627776 is outside"),
        config("max_position_embeddings", -1, "-1 is outside"),
        config("max_position_embeddings", (1 << 24) + 1, "16777217 is outside 1 to 16777216"),
        config("rms_norm_eps", 0, "0 is outside"),
        config("rms_norm_eps", -1e-5, "-1e-05 is outside"),
        config("rms_norm_eps", "1e-5", "must be a number, not a string"),
        config("rope_theta", 0, "0 is outside"),
        config("rope_theta", 1e300, "1e+300 is outside"),
        rope("linear", "must be an object, not a string"),
        rope({{"type", "yarn"}, {"factor", 4.0}},
             "type: \"yarn\" is not supported; supported: default, linear, llama3"),
        rope({{"rope_type", "longrope"}}, "rope_type: \"longrope\" is not supported"),
        rope({{"type", "linear"}}, "factor: is missing"),
        rope({{"type", "linear"}, {"factor", 0}}, "factor: 0 is outside"),
        rope({{"type", "linear"}, {"factor", -2.0}}, "factor: -2.0 is outside"),
        rope(llama3_with("low_freq_factor", nullptr), "low_freq_factor: is missing"),
        rope(llama3_with("high_freq_factor", 1.0),
             "high_freq_factor: must be greater than low_freq_factor"),
        rope(llama3_with("original_max_position_embeddings", 0),
             "original_max_position_embeddings: 0 is outside"),
        config("rope_parameters", {{"full_attention", {{"rope_theta", 1e4}}}},
               "rope parameters per layer type are not supported"),
        config("rope_parameters", {{"rope_type", "default"}, {"partial_rotary_factor", 0.5}},
               "only 1 is supported"),
        config("partial_rotary_factor", 0.25, "only 1 is supported"),
        config("hidden_act", "gelu", "\"gelu\" is not supported; supported: silu"),
        config("mlp_bias", true, "true is not supported"),
        config("mlp_bias", 1, "must be true or false"),
        config("tie_word_embeddings", "yes", "must be true or false"),
        config("layer_types", {"full_attention", "sliding_attention"}, "\"sliding_attention\""),
        config("quantization_config", {{"quant_method", "awq"}},
               "quantised safetensors are not supported"),
        config("eos_token_id", 40, "40 is outside 0 to 39"),
        config("eos_token_id", Json::array({2, -1}), "-1 is outside 0 to 39"),
        config("eos_token_id", "</s>", "must be an integer"),
        changed("sliding windows in use",
                [](const path& folder) {
                    Json json = tiny_config();
                    json.update({{"model_type", "qwen2"},
                                 {"architectures", {"Qwen2ForCausalLM"}},
                                 {"use_sliding_window", true},
                                 {"sliding_window", 16},
                                 {"max_window_layers", 1}});
                    write_file(folder / "config.json", json.dump());
                },
                {"config.json: use_sliding_window: sliding-window attention is not supported"}),
        changed("more layers than weights",
                [](const path& folder) {
                    Json json = tiny_config();
                    json["num_hidden_layers"] = 3;
                    write_file(folder / "config.json", json.dump());
                },
                {"model.safetensors: tensor model.layers.2.input_layernorm.weight is missing"}),
        changed("sizes that no machine has room for",
                [](const path& folder) {
                    Json json = tiny_config();
                    json["intermediate_size"] = 1 << 20;
                    json["max_position_embeddings"] = 1 << 24;
                    write_file(folder / "config.json", json.dump());
                },
                {"tensor model.layers.0.mlp.gate_proj.weight: shape [48, 32] is not the config's "
                 "[1048576, 32]"}),
        changed("a vocabulary of another size",
                [](const path& folder) {
                    Json json = tiny_config();
                    json["vocab_size"] = 41;
                    write_file(folder / "config.json", json.dump());
                },
                {"tensor model.embed_tokens.weight: shape [40, 32] is not the config's [41, 32]"}),
        changed("biases that qwen2 must have",
                [](const path& folder) {
                    Json json = tiny_config();
                    json.update({{"model_type", "qwen2"}, {"architectures", {"Qwen2ForCausalLM"}}});
                    write_file(folder / "config.json", json.dump());
                },
                {"tensor model.layers.0.self_attn.q_proj.bias is missing"}),
        changed("a head that is not tied and not there",
                [](const path& folder) {
                    Json json = tiny_config();
                    json["tie_word_embeddings"] = false;
                    write_file(folder / "config.json", json.dump());
                },
                {"tensor lm_head.weight is missing"}),
        text("generation_config.json", "not JSON", "{", {"line 1, column"}),
        text("generation_config.json", "a negative temperature", "{\"temperature\": -1}",
             {"temperature: -1 is outside"}),
        text("generation_config.json", "an end past the vocabulary",
             "{\"eos_token_id\": [2, 1000]}", {"eos_token_id: 1000 is outside"}),
        text("generation_config.json", "top_k as text", "{\"top_k\": \"40\"}",
             {"top_k: must be an integer"}),
    };
}

std::vector<BadCase> bad_folders() {
    return {
        folder_case("nothing there", [](const path& folder) { return folder / "none"; },
                    {"none: ", "No such file or directory"}),
        folder_case("empty", [](const path& folder) { return folder; }, {"config.json is missing"}),
        folder_case("a pipe",
                    [](const path& folder) {
                        ::mkfifo((folder / "pipe.gguf").c_str(), 0600);
                        return folder / "pipe.gguf";
                    },
                    {"pipe.gguf: is not a regular file"}),
        folder_case("a link in a circle",
                    [](const path& folder) {
                        std::filesystem::create_symlink("a.gguf", folder / "a.gguf");
                        return folder / "a.gguf";
                    },
                    {"a.gguf: ", "Too many levels of symbolic links"}),
        folder_case("text as a GGUF",
                    [](const path& folder) {
                        write_file(folder / "m.gguf", "This is not a model.");
                        return folder / "m.gguf";
                    },
                    {"m.gguf: not a GGUF file"}),
        folder_case("a safetensors file by itself",
                    [](const path& folder) {
                        write_tiny_folder(folder);
                        return folder / "model.safetensors";
                    },
                    {"model.safetensors: a safetensors file is opened by its folder"}),
        folder_case("a config.json by itself",
                    [](const path& folder) {
                        write_tiny_folder(folder);
                        return folder / "config.json";
                    },
                    {"config.json: not a GGUF file"}),
        folder_case("only a GGUF in it",
                    [](const path& folder) {
                        write_file(folder / "model.gguf", tiny_gguf().bytes());
                        return folder;
                    },
                    {"config.json is missing", "it holds model.gguf, which can be opened itself"}),
        changed("without weights",
                [](const path& folder) { std::filesystem::remove(folder / "model.safetensors"); },
                {"the folder has no weights (model.safetensors or model.safetensors.index.json)"}),
        changed("PyTorch's weights only",
                [](const path& folder) {
                    std::filesystem::rename(folder / "model.safetensors",
                                            folder / "pytorch_model.bin");
                },
                {"the folder has no weights", "it holds pytorch_model.bin",
                 "only safetensors are read"}),
        changed("config.json is a directory",
                [](const path& folder) { replace_by_directory(folder / "config.json"); },
                {"config.json"}),
        changed("model.safetensors is a directory",
                [](const path& folder) { replace_by_directory(folder / "model.safetensors"); },
                {"model.safetensors: is a directory, a file is needed here"}),
        changed("model.safetensors links to nothing",
                [](const path& folder) {
                    std::filesystem::remove(folder / "model.safetensors");
                    std::filesystem::create_symlink("gone", folder / "model.safetensors");
                },
                {"model.safetensors: cannot be opened"}),
        changed("without a tokenizer",
                [](const path& folder) { std::filesystem::remove(folder / "tokenizer.json"); },
                {"tokenizer.json", "tokenizer.model"}),
        text("tokenizer.json", "empty", "", {"line 1, column 1"}),
        text("tokenizer.json", "not UTF-8", "{\"model\": \"\xff\"}", {"ill-formed UTF-8"}),
        text("tokenizer.json", "a key twice", "{\"model\": 1, \"model\": 2}",
             {"duplicate key \"model\""}),
        text("tokenizer_config.json", "not JSON", "{]", {"line 1, column 2"}),
        text("tokenizer_config.json", "a template that is a number", "{\"chat_template\": 5}",
             {"chat_template: must be a string"}),
        text("tokenizer_config.json", "templates without a default",
             "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"x\"}]}",
             {"chat_template: a list without a template named \"default\""}),
        text("chat_template.jinja", "two megabytes", std::string(2'000'000, 'x'),
             {"are more than the 1048576 allowed here"}),
    };
}

}  // namespace lockstep::test
