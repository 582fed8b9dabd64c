// SPDX-License-Identifier: GPL-3.0-or-later
// Small model files for tests, right or wrong on purpose: GGUF and safetensors written field by
// field. Header-only, so that a test under sanitizers can build it with them.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/json.h"

namespace lockstep::test {

inline void write_file(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

template <class T>
std::string raw(T value) {
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}

// GGUF's strings and values, as bytes: a value is its type's number and then itself.
namespace gguf {
inline std::string text(const std::string& s) {
    return raw<uint64_t>(s.size()) + s;
}
inline std::string u32(uint32_t v) {
    return raw<uint32_t>(4) + raw(v);
}
inline std::string i32(int32_t v) {
    return raw<uint32_t>(5) + raw(v);
}
inline std::string f32(float v) {
    return raw<uint32_t>(6) + raw(v);
}
inline std::string boolean(bool v) {
    return raw<uint32_t>(7) + raw<uint8_t>(v);
}
inline std::string string(const std::string& s) {
    return raw<uint32_t>(8) + text(s);
}
inline std::string u64(uint64_t v) {
    return raw<uint32_t>(10) + raw(v);
}
inline std::string array(uint32_t type, uint64_t count, const std::string& elements) {
    return raw<uint32_t>(9) + raw(type) + raw(count) + elements;
}
inline std::string strings(const std::vector<std::string>& list) {
    std::string elements;
    for (const std::string& s : list) elements += text(s);
    return array(8, list.size(), elements);
}
}  // namespace gguf

struct GgufTensor {
    std::string name;
    std::vector<uint64_t> dims;  // as GGUF has them: innermost first
    uint32_t type = 0;           // F32
    std::string data;
    int64_t offset = -1;  // where not the next one
};

struct GgufWriter {
    std::string magic = "GGUF";
    uint32_t version = 3;
    std::vector<std::pair<std::string, std::string>> metadata;  // key, value with its type
    std::vector<GgufTensor> tensors;
    int64_t tensor_count = -1;  // where not the true ones
    int64_t metadata_count = -1;
    uint64_t alignment = 32;

    void set(const std::string& key, const std::string& value) {
        for (auto& [existing, old] : metadata) {
            if (existing == key) {
                old = value;
                return;
            }
        }
        metadata.emplace_back(key, value);
    }
    void erase(const std::string& key) {
        std::erase_if(metadata, [&](const auto& entry) { return entry.first == key; });
    }
    GgufTensor& tensor(const std::string& name) {
        for (GgufTensor& t : tensors) {
            if (t.name == name) return t;
        }
        return tensors.emplace_back(GgufTensor{name, {}, 0, {}, -1});
    }

    std::string header() const {
        std::string out = magic + raw(version);
        out +=
            raw<uint64_t>(tensor_count < 0 ? tensors.size() : static_cast<uint64_t>(tensor_count));
        out += raw<uint64_t>(metadata_count < 0 ? metadata.size()
                                                : static_cast<uint64_t>(metadata_count));
        for (const auto& [key, value] : metadata) out += gguf::text(key) + value;
        return out;
    }
    std::string bytes() const {
        std::string out = header(), data;
        for (const GgufTensor& t : tensors) {
            data.resize((data.size() + alignment - 1) / alignment * alignment);
            const uint64_t offset = t.offset < 0 ? data.size() : static_cast<uint64_t>(t.offset);
            out += gguf::text(t.name) + raw(static_cast<uint32_t>(t.dims.size()));
            for (uint64_t size : t.dims) out += raw(size);
            out += raw(t.type) + raw(offset);
            data += t.data;
        }
        out.resize((out.size() + alignment - 1) / alignment * alignment);
        return out + data;
    }
};

// GPT-2's letters for the 256 bytes are not needed to load: any tokens will do.
inline std::vector<std::string> tiny_tokens() {
    std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
    for (int i = 3; i < 40; ++i) tokens.push_back("t" + std::to_string(i));
    return tokens;
}

// A Llama of two layers: hidden 32, two heads of 16 on one key/value head, 48 inside, 40 tokens.
// Element i of a tensor in f32 is i / 1024.
inline std::string counting_floats(uint64_t count) {
    std::string bytes;
    for (uint64_t i = 0; i < count; ++i) bytes += raw(static_cast<float>(i) / 1024);
    return bytes;
}

inline GgufWriter tiny_gguf() {
    GgufWriter w;
    w.set("general.architecture", gguf::string("llama"));
    w.set("general.name", gguf::string("tiny"));
    w.set("general.file_type", gguf::u32(0));
    w.set("llama.block_count", gguf::u32(2));
    w.set("llama.context_length", gguf::u32(64));
    w.set("llama.embedding_length", gguf::u32(32));
    w.set("llama.feed_forward_length", gguf::u32(48));
    w.set("llama.attention.head_count", gguf::u32(2));
    w.set("llama.attention.head_count_kv", gguf::u32(1));
    w.set("llama.attention.layer_norm_rms_epsilon", gguf::f32(1e-5f));
    w.set("llama.rope.freq_base", gguf::f32(10000));
    w.set("tokenizer.ggml.model", gguf::string("gpt2"));
    w.set("tokenizer.ggml.pre", gguf::string("gpt-2"));
    w.set("tokenizer.ggml.tokens", gguf::strings(tiny_tokens()));
    std::string types;
    for (int i = 0; i < 40; ++i) types += raw<int32_t>(i < 3 ? 3 : 1);
    w.set("tokenizer.ggml.token_type", gguf::array(5, 40, types));
    w.set("tokenizer.ggml.merges", gguf::strings({}));
    w.set("tokenizer.ggml.bos_token_id", gguf::u32(1));
    w.set("tokenizer.ggml.eos_token_id", gguf::u32(2));
    const auto add = [&](const std::string& name, uint64_t in, uint64_t out) {
        const bool vector = out == 0;
        w.tensors.push_back({name, vector ? std::vector{in} : std::vector{in, out}, 0,
                             counting_floats(in * (vector ? 1 : out)), -1});
    };
    add("token_embd.weight", 32, 40);
    for (const char* layer : {"blk.0.", "blk.1."}) {
        const std::string l = layer;
        add(l + "attn_norm.weight", 32, 0);
        add(l + "attn_q.weight", 32, 32);
        add(l + "attn_k.weight", 32, 16);
        add(l + "attn_v.weight", 32, 16);
        add(l + "attn_output.weight", 32, 32);
        add(l + "ffn_norm.weight", 32, 0);
        add(l + "ffn_gate.weight", 32, 48);
        add(l + "ffn_up.weight", 32, 48);
        add(l + "ffn_down.weight", 48, 32);
    }
    add("output_norm.weight", 32, 0);
    return w;
}

// The same model as a folder's config.json.
inline Json tiny_config() {
    return {{"model_type", "llama"},
            {"architectures", {"LlamaForCausalLM"}},
            {"hidden_size", 32},
            {"intermediate_size", 48},
            {"num_hidden_layers", 2},
            {"num_attention_heads", 2},
            {"num_key_value_heads", 1},
            {"vocab_size", 40},
            {"max_position_embeddings", 64},
            {"rms_norm_eps", 1e-5},
            {"rope_theta", 10000.0},
            {"hidden_act", "silu"},
            {"tie_word_embeddings", true},
            {"eos_token_id", 2}};
}

struct SafetensorsWriter {
    OrderedJson header = OrderedJson::object();
    std::string data;

    void add(const std::string& name, const std::string& dtype, const std::vector<int64_t>& shape,
             const std::string& tensor) {
        header[name] = {{"dtype", dtype},
                        {"shape", shape},
                        {"data_offsets", {data.size(), data.size() + tensor.size()}}};
        data += tensor;
    }
    static std::string with_header(const std::string& header_text, const std::string& data_bytes) {
        return raw<uint64_t>(header_text.size()) + header_text + data_bytes;
    }
    std::string bytes() const { return with_header(header.dump(), data); }
};

// Names and shapes of tiny_config()'s tensors; the filter chooses which are written.
inline SafetensorsWriter tiny_safetensors(const std::function<bool(const std::string&)>& wanted =
                                              [](const std::string&) { return true; }) {
    SafetensorsWriter w;
    const auto add = [&](const std::string& name, const std::vector<int64_t>& shape) {
        int64_t count = 1;
        for (int64_t size : shape) count *= size;
        if (wanted(name)) w.add(name, "F32", shape, counting_floats(static_cast<uint64_t>(count)));
    };
    add("model.embed_tokens.weight", {40, 32});
    for (const char* layer : {"model.layers.0.", "model.layers.1."}) {
        const std::string l = layer;
        add(l + "input_layernorm.weight", {32});
        add(l + "self_attn.q_proj.weight", {32, 32});
        add(l + "self_attn.k_proj.weight", {16, 32});
        add(l + "self_attn.v_proj.weight", {16, 32});
        add(l + "self_attn.o_proj.weight", {32, 32});
        add(l + "post_attention_layernorm.weight", {32});
        add(l + "mlp.gate_proj.weight", {48, 32});
        add(l + "mlp.up_proj.weight", {48, 32});
        add(l + "mlp.down_proj.weight", {32, 48});
    }
    add("model.norm.weight", {32});
    return w;
}

// A byte-level BPE tokenizer.json of tiny_tokens().
inline Json tiny_tokenizer_json() {
    Json vocab = Json::object(), added = Json::array();
    const auto tokens = tiny_tokens();
    for (size_t i = 0; i < tokens.size(); ++i) vocab[tokens[i]] = i;
    for (int id : {0, 1, 2}) {
        added.push_back({{"id", id},
                         {"content", tokens[static_cast<size_t>(id)]},
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
    return {{"version", "1.0"},
            {"truncation", nullptr},
            {"padding", nullptr},
            {"added_tokens", added},
            {"normalizer", nullptr},
            {"pre_tokenizer", byte_level},
            {"post_processor", nullptr},
            {"decoder", byte_level},
            {"model",
             {{"type", "BPE"},
              {"dropout", nullptr},
              {"unk_token", nullptr},
              {"continuing_subword_prefix", nullptr},
              {"end_of_word_suffix", nullptr},
              {"fuse_unk", false},
              {"byte_fallback", false},
              {"vocab", vocab},
              {"merges", Json::array()}}}};
}

// A whole folder that loads.
inline void write_tiny_folder(const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    write_file(folder / "config.json", tiny_config().dump());
    write_file(folder / "model.safetensors", tiny_safetensors().bytes());
    write_file(folder / "tokenizer.json", tiny_tokenizer_json().dump());
    write_file(folder / "tokenizer_config.json",
               Json({{"eos_token", "</s>"},
                     {"bos_token", "<s>"},
                     {"chat_template", "{% for m in messages %}{{ m.content }}{% endfor %}"}})
                   .dump());
}

// The same weights in two shards and an index.
inline void write_tiny_shards(const std::filesystem::path& folder) {
    write_tiny_folder(folder);
    std::filesystem::remove(folder / "model.safetensors");
    const std::string names[] = {"model-00001-of-00002.safetensors",
                                 "model-00002-of-00002.safetensors"};
    const auto in_second = [](const std::string& name) {
        return name.find("layers.1.") != name.npos;
    };
    Json map = Json::object();
    const SafetensorsWriter whole = tiny_safetensors();
    for (const auto& [name, entry] : whole.header.items()) map[name] = names[in_second(name)];
    write_file(folder / names[0],
               tiny_safetensors([&](const std::string& n) { return !in_second(n); }).bytes());
    write_file(folder / names[1], tiny_safetensors(in_second).bytes());
    write_file(folder / "model.safetensors.index.json",
               Json({{"metadata", {{"total_size", 1}}}, {"weight_map", map}}).dump());
}

}  // namespace lockstep::test
