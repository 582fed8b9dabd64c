// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>
#include <limits>

#include "tests/fuzz/bad_case.h"
#include "tests/support/model_files.h"

namespace lockstep::test {
namespace {

using Change = std::function<void(GgufWriter&)>;

BadCase gguf_bytes(const char* name, std::function<std::string()> bytes,
                   std::vector<std::string> message) {
    message.emplace_back("m.gguf: ");
    return {std::string("GGUF: ") + name,
            [bytes = std::move(bytes)](const std::filesystem::path& folder) {
                write_file(folder / "m.gguf", bytes());
                return folder / "m.gguf";
            },
            std::move(message)};
}

BadCase changed(const char* name, Change change, std::vector<std::string> message) {
    return gguf_bytes(
        name,
        [change = std::move(change)] {
            GgufWriter writer = tiny_gguf();
            change(writer);
            return writer.bytes();
        },
        std::move(message));
}

// A key with another value, given as bytes with its type.
BadCase value(const char* key, const std::string& bytes, const char* what) {
    const std::string name = std::string(key) + " " + what;
    return changed(name.c_str(), [=](GgufWriter& w) { w.set(key, bytes); },
                   {std::string(key) + ": ", what});
}

BadCase without(const char* key) {
    const std::string name = std::string(key) + " is missing";
    return changed(name.c_str(), [=](GgufWriter& w) { w.erase(key); },
                   {std::string(key) + ": is missing"});
}

std::string cut(const std::string& bytes, size_t size) {
    return bytes.substr(0, size);
}

}  // namespace

std::vector<BadCase> bad_gguf_headers() {
    const auto tiny = [] { return tiny_gguf().bytes(); };
    return {
        gguf_bytes("empty file", [] { return std::string(); },
                   {"the file ends inside the magic number"}),
        gguf_bytes("three bytes", [] { return std::string("GGU"); },
                   {"ends inside the magic number"}),
        gguf_bytes("only zeros", [] { return std::string(4096, '\0'); }, {"not a GGUF file"}),
        changed("another magic", [](GgufWriter& w) { w.magic = "GGML"; }, {"not a GGUF file"}),
        changed("version 1", [](GgufWriter& w) { w.version = 1; },
                {"GGUF version 1 is not supported; supported: 2, 3"}),
        changed("version 4", [](GgufWriter& w) { w.version = 4; },
                {"GGUF version 4 is not supported"}),
        changed("big-endian", [](GgufWriter& w) { w.version = 0x03000000; },
                {"big-endian GGUF is not supported"}),
        gguf_bytes("cut after the version", [=] { return cut(tiny(), 8); },
                   {"ends inside the number of tensors"}),
        gguf_bytes("cut inside the metadata", [=] { return cut(tiny(), 600); },
                   {"tokenizer.ggml.tokens: at byte 595: an array of 40 strings does not fit"}),
        gguf_bytes("cut inside the table of tensors",
                   [] { return cut(tiny_gguf().bytes(), tiny_gguf().header().size() + 30); },
                   {"the file ends inside"}),
        gguf_bytes("cut inside the data", [=] { return cut(tiny(), tiny().size() - 10); },
                   {"tensor output_norm.weight", "lie outside the file's", "cut short"}),
        changed("2^60 tensors", [](GgufWriter& w) { w.tensor_count = int64_t{1} << 60; },
                {"announces 1152921504606846976 tensors, more than the file can hold"}),
        changed("2^60 metadata keys", [](GgufWriter& w) { w.metadata_count = int64_t{1} << 60; },
                {"announces 1152921504606846976 metadata keys, more than the file can hold"}),
        changed("one tensor too many",
                [](GgufWriter& w) { w.tensor_count = static_cast<int64_t>(w.tensors.size()) + 1; },
                {"tensor name"}),
        gguf_bytes("a key of 2^62 bytes",
                   [] {
                       return "GGUF" + raw<uint32_t>(3) + raw<uint64_t>(0) + raw<uint64_t>(1) +
                              raw(uint64_t{1} << 62) + std::string(64, 'k');
                   },
                   {"ends inside a metadata key: 4611686018427387904 bytes wanted"}),
        changed("an empty key", [](GgufWriter& w) { w.set("", gguf::u32(1)); },
                {"metadata key \"\" is not UTF-8 of 1 to 65535 bytes"}),
        changed("a key that is not UTF-8", [](GgufWriter& w) { w.set("a\xff", gguf::u32(1)); },
                {"metadata key \"a?\" is not UTF-8"}),
        changed("a key twice",
                [](GgufWriter& w) { w.metadata.emplace_back("llama.block_count", gguf::u32(2)); },
                {"duplicate metadata key llama.block_count"}),
        changed("an unknown value type",
                [](GgufWriter& w) { w.set("x.y", raw<uint32_t>(99) + raw<uint64_t>(0)); },
                {"x.y: ", "unknown value type 99"}),
        changed("an array of arrays",
                [](GgufWriter& w) { w.set("x.y", gguf::array(9, 1, gguf::array(4, 0, ""))); },
                {"x.y: ", "arrays of arrays are not supported"}),
        changed("an array of an unknown type",
                [](GgufWriter& w) { w.set("x.y", gguf::array(77, 1, "x")); },
                {"x.y: ", "unknown array type 77"}),
        changed("an array of 2^60 integers",
                [](GgufWriter& w) { w.set("x.y", gguf::array(4, uint64_t{1} << 60, "")); },
                {"x.y: ", "an array of 1152921504606846976 elements does not fit"}),
        changed("an array of 2^61 strings",
                [](GgufWriter& w) { w.set("x.y", gguf::array(8, uint64_t{1} << 61, "")); },
                {"x.y: ", "an array of 2305843009213693952 strings does not fit"}),
        changed("a string array that overruns the file",
                [](GgufWriter& w) {
                    w.set("x.y", gguf::array(8, 2, gguf::text("a") + raw(uint64_t{1} << 40)));
                },
                {"x.y: ", "ends inside an array's string"}),
        changed("a string that overruns the file",
                [](GgufWriter& w) { w.set("x.y", raw<uint32_t>(8) + raw(UINT64_MAX)); },
                {"x.y: ", "ends inside a string: 18446744073709551615 bytes wanted"}),
    };
}

std::vector<BadCase> bad_gguf_metadata() {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const std::string types(39 * 4, '\1');
    return {
        without("general.architecture"),
        value("general.architecture", gguf::u32(7), "must be a string"),
        value("general.architecture", gguf::string("phi3"),
              "\"phi3\" is not supported; supported: qwen2, llama"),
        value("general.architecture", gguf::string("\xff\xfe"), "is not valid UTF-8"),
        value("general.name", gguf::u32(7), "must be a string"),
        without("llama.block_count"),
        value("llama.block_count", gguf::u32(0), "0 is outside 1 to 1024"),
        value("llama.block_count", gguf::u32(UINT32_MAX), "4294967295 is outside 1 to 1024"),
        value("llama.block_count", gguf::u64(UINT64_MAX),
              "18446744073709551615 is outside 1 to 1024"),
        value("llama.block_count", gguf::i32(-2), "-2 is outside 1 to 1024"),
        value("llama.block_count", gguf::f32(2), "must be an integer"),
        value("llama.context_length", gguf::u32(0), "0 is outside"),
        value("llama.embedding_length", gguf::string("32"), "must be an integer"),
        value("llama.embedding_length", gguf::u32(33),
              "33 is not a multiple of llama.attention.head_count 2"),
        value("llama.feed_forward_length", gguf::u64(uint64_t{1} << 62),
              "4611686018427387904 is outside"),
        value("llama.attention.head_count", gguf::u32(0), "0 is outside"),
        value("llama.attention.head_count", gguf::array(4, 2, std::string(8, '\2')),
              "must be an integer"),
        changed("more key/value heads than divide",
                [](GgufWriter& w) { w.set("llama.attention.head_count_kv", gguf::u32(3)); },
                {"num_key_value_heads: 3 does not divide num_attention_heads 2"}),
        value("llama.attention.key_length", gguf::u32(0), "0 is outside"),
        value("llama.attention.value_length", gguf::u32(8), "8 is not supported; supported: 16"),
        value("llama.rope.dimension_count", gguf::u32(8), "8 is not supported; supported: 16"),
        value("llama.expert_count", gguf::u32(8), "8 is not supported; supported: 0"),
        without("llama.attention.layer_norm_rms_epsilon"),
        value("llama.attention.layer_norm_rms_epsilon", gguf::f32(nan), "nan is outside"),
        value("llama.attention.layer_norm_rms_epsilon", gguf::f32(-1e-5f), "is outside"),
        value("llama.attention.layer_norm_rms_epsilon", gguf::f32(0), "is outside"),
        value("llama.rope.freq_base", gguf::f32(infinity), "inf is outside"),
        value("llama.rope.freq_base", gguf::f32(0), "is outside"),
        value("llama.rope.scaling.type", gguf::string("yarn"),
              "\"yarn\" is not supported; supported: none, linear"),
        changed("linear scaling without a factor",
                [](GgufWriter& w) { w.set("llama.rope.scaling.type", gguf::string("linear")); },
                {"llama.rope.scaling.factor: is missing"}),
        value("llama.rope.scaling.attn_factor", gguf::f32(0.5f), "only 1 is supported"),
        without("tokenizer.ggml.model"),
        without("tokenizer.ggml.tokens"),
        changed("an unknown kind of tokenizer",
                [](GgufWriter& w) { w.set("tokenizer.ggml.model", gguf::string("rwkv")); },
                {"tokenizer.ggml.model \"rwkv\" is not supported"}),
        value("tokenizer.ggml.tokens", gguf::strings({}), "is empty"),
        value("tokenizer.ggml.tokens", gguf::array(4, 1, raw<uint32_t>(1)),
              "must be an array of strings"),
        value("tokenizer.ggml.tokens", gguf::string("x"), "must be an array"),
        changed(
            "more tokens than rows",
            [](GgufWriter& w) {
                w.set("tokenizer.ggml.tokens", gguf::strings(std::vector<std::string>(41, "x")));
                w.erase("tokenizer.ggml.token_type");
            },
            {"tokenizer.ggml.tokens: 41 tokens are more than the 40 rows of token_embd.weight"}),
        value("tokenizer.ggml.token_type", gguf::array(0, 39, types.substr(0, 39)),
              "has 39 entries for 40 tokens"),
        value("tokenizer.ggml.token_type", gguf::array(0, 40, std::string(40, '\11')),
              "9 is outside 1 to 6"),
        value("tokenizer.ggml.token_type", gguf::strings(tiny_tokens()),
              "must be an array of integers"),
        value("tokenizer.ggml.scores", gguf::array(6, 39, types), "has 39 entries for 40 tokens"),
        value("tokenizer.ggml.scores", gguf::array(6, 40, std::string(160, '\xff')),
              "not a finite number"),
        value("tokenizer.ggml.scores", gguf::array(12, 40, std::string(320, '\0')),
              "must be an array of 32-bit floats"),
        value("tokenizer.ggml.merges", gguf::u32(1), "must be an array"),
        value("tokenizer.ggml.eos_token_id", gguf::u32(40), "40 is outside 0 to 39"),
        value("tokenizer.ggml.bos_token_id", gguf::i32(-1), "-1 is outside 0 to 39"),
        value("tokenizer.ggml.eot_token_id", gguf::u32(99), "99 is outside 0 to 39"),
        value("tokenizer.ggml.add_bos_token", gguf::u32(1), "must be true or false"),
        value("tokenizer.chat_template", gguf::string("{{ \xc3( }}"), "is not valid UTF-8"),
        value("tokenizer.chat_template", gguf::boolean(true), "must be a string"),
    };
}

std::vector<BadCase> bad_gguf_tensors() {
    const auto dims = [](const char* name, std::vector<uint64_t> d,
                         std::vector<std::string> message) {
        return changed(
            name, [d](GgufWriter& w) { w.tensor("blk.0.attn_q.weight").dims = d; },
            std::move(message));
    };
    const auto type = [](const char* name, uint32_t t, std::vector<std::string> message) {
        return changed(
            name, [t](GgufWriter& w) { w.tensor("blk.0.attn_q.weight").type = t; },
            std::move(message));
    };
    const auto alignment = [](const char* name, uint32_t a, const char* message) {
        return changed(name, [a](GgufWriter& w) { w.set("general.alignment", gguf::u32(a)); },
                       {"general.alignment: ", message});
    };
    return {
        alignment("alignment 0", 0, "0 is outside"),
        alignment("alignment 3", 3, "3 is not a power of two"),
        alignment("alignment 2^31", 1u << 31, "2147483648 is outside"),
        changed("offsets off the alignment",
                [](GgufWriter& w) { w.set("general.alignment", gguf::u32(4096)); },
                {"offset", "is not a multiple of the alignment 4096"}),
        dims("no dimensions", {}, {"tensor blk.0.attn_q.weight: 0 dimensions are outside 1 to 4"}),
        dims("five dimensions", {1, 1, 1, 1, 1}, {"tensor blk.0.attn_q.weight: 5 dimensions"}),
        dims("an empty dimension", {32, 0}, {"tensor blk.0.attn_q.weight: dimension 0 is empty"}),
        dims("a dimension of 2^63", {uint64_t{1} << 63, 2},
             {"tensor blk.0.attn_q.weight: dimension 9223372036854775808 is too large"}),
        dims("a product past 2^64", {uint64_t{1} << 40, uint64_t{1} << 40},
             {"tensor blk.0.attn_q.weight", "is too large"}),
        dims("a tensor larger than the file", {32, uint64_t{1} << 30},
             {"tensor blk.0.attn_q.weight", "lie outside the file's"}),
        dims("another shape than the config's", {32, 31},
             {"tensor blk.0.attn_q.weight: shape [31, 32] is not the config's [32, 32]"}),
        dims("a transposed shape", {16, 32},
             {"tensor blk.0.attn_q.weight: shape [32, 16] is not the config's [32, 32]"}),
        type("an unknown type", 999,
             {"tensor blk.0.attn_q.weight: type number 999 is not supported; supported: F32, F16"}),
        type("a type that cannot be expanded", 10,
             {"tensor blk.0.attn_q.weight: type Q2_K is not supported"}),
        type("rows that are no whole blocks", 12,
             {"tensor blk.0.attn_q.weight: rows of 32 elements are not whole Q4_K blocks of 256"}),
        changed("a vector in blocks",
                [](GgufWriter& w) { w.tensor("blk.0.attn_norm.weight").type = 8; },
                {"tensor blk.0.attn_norm.weight: a vector of type Q8_0 is not supported"}),
        changed("an offset off the alignment",
                [](GgufWriter& w) { w.tensor("blk.0.attn_q.weight").offset = 33; },
                {"tensor blk.0.attn_q.weight: offset 33 is not a multiple of the alignment 32"}),
        changed("an offset outside the file",
                [](GgufWriter& w) { w.tensor("blk.0.attn_q.weight").offset = int64_t{1} << 50; },
                {"tensor blk.0.attn_q.weight", "offset 1125899906842624 lie outside the file's"}),
        changed("an offset that overflows",
                [](GgufWriter& w) { w.tensor("blk.0.attn_q.weight").offset = INT64_MAX - 31; },
                {"tensor blk.0.attn_q.weight", "lie outside the file's"}),
        changed("overlapping tensors",
                [](GgufWriter& w) { w.tensor("blk.0.attn_q.weight").offset = 32; },
                {"overlaps tensor"}),
        changed("a tensor twice", [](GgufWriter& w) { w.tensors.push_back(w.tensors[3]); },
                {"duplicate tensor blk.0.attn_k.weight"}),
        changed("a tensor without a name", [](GgufWriter& w) { w.tensors[3].name = ""; },
                {"tensor name \"\""}),
        changed("a tensor's name of 1,000 bytes",
                [](GgufWriter& w) { w.tensors[3].name = std::string(1000, 'n'); },
                {"tensor name \"nnn"}),
        changed("no embedding", [](GgufWriter& w) { w.tensors.erase(w.tensors.begin()); },
                {"tensor token_embd.weight is missing"}),
        changed("no final norm", [](GgufWriter& w) { w.tensors.pop_back(); },
                {"tensor output_norm.weight is missing"}),
        changed("a layer less than announced",
                [](GgufWriter& w) { w.set("llama.block_count", gguf::u32(3)); },
                {"tensor blk.2.attn_norm.weight is missing"}),
        changed("a layer more than announced",
                [](GgufWriter& w) { w.set("llama.block_count", gguf::u32(1)); },
                {"tensor blk.1.attn_norm.weight: the engine has no use for this tensor"}),
        changed("no tensors", [](GgufWriter& w) { w.tensors.clear(); },
                {"tensor token_embd.weight is missing"}),
        changed(
            "a norm on q, as other families have",
            [](GgufWriter& w) {
                w.tensors.push_back({"blk.0.attn_q_norm.weight", {16}, 0, counting_floats(16), -1});
            },
            {"tensor blk.0.attn_q_norm.weight: the engine has no use for this tensor"}),
        changed(
            "a bias on o, not zero",
            [](GgufWriter& w) {
                w.tensors.push_back({"blk.0.attn_output.bias", {32}, 0, counting_floats(32), -1});
            },
            {"tensor blk.0.attn_output.bias: the engine has no use for this tensor"}),
        changed("a bias on q of one layer only",
                [](GgufWriter& w) {
                    w.tensors.push_back({"blk.0.attn_q.bias", {32}, 0, counting_floats(32), -1});
                },
                {"tensor blk.0.attn_k.bias is missing"}),
        changed("frequency factors of another size",
                [](GgufWriter& w) {
                    w.tensors.push_back({"rope_freqs.weight", {9}, 0, counting_floats(9), -1});
                },
                {"tensor rope_freqs.weight: must be F32 of [8]"}),
        changed("frequency factors of zero",
                [](GgufWriter& w) {
                    w.tensors.push_back({"rope_freqs.weight", {8}, 0, std::string(32, '\0'), -1});
                },
                {"tensor rope_freqs.weight: holds a factor that is not a positive number"}),
    };
}

}  // namespace lockstep::test
