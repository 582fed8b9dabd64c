// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/fuzz/bad_case.h"
#include "tests/support/model_files.h"

namespace lockstep::test {
namespace {

using std::filesystem::path;

constexpr const char* q_proj = "model.layers.0.self_attn.q_proj.weight";

BadCase file_bytes(const char* name, std::function<std::string()> bytes,
                   std::vector<std::string> message) {
    message.emplace_back("model.safetensors: ");
    return {std::string("safetensors: ") + name,
            [bytes = std::move(bytes)](const path& folder) {
                write_tiny_folder(folder);
                write_file(folder / "model.safetensors", bytes());
                return folder;
            },
            std::move(message)};
}

BadCase changed(const char* name, std::function<void(SafetensorsWriter&)> change,
                std::vector<std::string> message) {
    return file_bytes(
        name,
        [change = std::move(change)] {
            SafetensorsWriter writer = tiny_safetensors();
            change(writer);
            return writer.bytes();
        },
        std::move(message));
}

// q_proj of layer 0 with one field changed.
BadCase field(const char* key, const OrderedJson& value, const char* what) {
    const std::string name = std::string(key) + ": " + what;
    return changed(name.c_str(), [=](SafetensorsWriter& w) { w.header[q_proj][key] = value; },
                   {std::string("tensor ") + q_proj + ": " + key + ": ", what});
}

BadCase without_field(const char* key, const char* what) {
    return changed(what, [=](SafetensorsWriter& w) { w.header[q_proj].erase(key); },
                   {std::string("tensor ") + q_proj + ": " + key + ": ", what});
}

BadCase index_case(const char* name, std::function<void(const path&)> change,
                   std::vector<std::string> message) {
    return {std::string("index: ") + name,
            [change = std::move(change)](const path& folder) {
                write_tiny_shards(folder);
                change(folder);
                return folder;
            },
            std::move(message)};
}

constexpr const char* index_name = "model.safetensors.index.json";
constexpr const char* second_shard = "model-00002-of-00002.safetensors";

void change_index(const path& folder, const std::function<void(Json&)>& change) {
    Json index = *read_json_file(folder / index_name);
    change(index);
    write_file(folder / index_name, index.dump());
}

BadCase shard_name(const char* name, const std::string& shard, const char* what) {
    return index_case(name,
                      [shard](const path& folder) {
                          change_index(folder, [&](Json& index) {
                              index["weight_map"]["model.norm.weight"] = shard;
                          });
                      },
                      {index_name, "weight_map.model.norm.weight: ", what});
}

}  // namespace

std::vector<BadCase> bad_safetensors() {
    const auto whole = [](const std::string& header, const std::string& data = "") {
        return [=] { return SafetensorsWriter::with_header(header, data); };
    };
    return {
        file_bytes("empty file", [] { return std::string(); }, {"0 bytes are too few"}),
        file_bytes("seven bytes", [] { return std::string(7, '\1'); }, {"7 bytes are too few"}),
        file_bytes("a header of 2^63 bytes", [] { return raw(uint64_t{1} << 63) + "{}"; },
                   {"header of 9223372036854775808 bytes: more than the 100 MB"}),
        file_bytes("a header longer than the file", [] { return raw<uint64_t>(1000) + "{}"; },
                   {"header of 1000 bytes: the file ends before it does"}),
        file_bytes("cut inside the header",
                   [] { return tiny_safetensors().bytes().substr(0, 100); },
                   {"the file ends before it does"}),
        file_bytes("cut inside the data",
                   [] {
                       const auto all = tiny_safetensors().bytes();
                       return all.substr(0, all.size() - 1);
                   },
                   {"data_offsets", "lies outside the file's", "cut short"}),
        file_bytes("an empty header", whole(""), {"header: must begin with '{'"}),
        file_bytes("a header that is a list", whole("[]"), {"header: must begin with '{'"}),
        file_bytes("a header that is not JSON", whole("{\"a\": }"), {"header: line 1, column 7"}),
        file_bytes("text behind the header", whole("{} {}"), {"header: line 1, column 4"}),
        file_bytes("a header that is not UTF-8", whole("{\"\xff\": 1}"),
                   {"header: line 1", "ill-formed UTF-8"}),
        file_bytes("a tensor twice", whole("{\"a\": {}, \"a\": {}}"),
                   {"header: line 1", "duplicate key \"a\""}),
        file_bytes("a header 100,000 deep", whole("{\"a\": " + std::string(100'000, '[')),
                   {"nested deeper than 4 levels"}),
        file_bytes("no tensors", whole("{}"), {"tensor model.embed_tokens.weight is missing"}),
        file_bytes("a tensor that is a number", whole("{\"a\": 1}"),
                   {"tensor a: must be an object, not an integer"}),
        file_bytes("data without tensors", whole("{}", "12345678"),
                   {"8 bytes of data belong to no tensor"}),
        without_field("dtype", "is missing"),
        field("dtype", 5, "must be a string"),
        field("dtype", "Q4_0", "\"Q4_0\" is not known; supported: F32, F16, BF16"),
        changed("more bytes than its dtype and shape take",
                [](SafetensorsWriter& w) { w.header[q_proj]["dtype"] = "BF16"; },
                {std::string("tensor ") + q_proj +
                 ": data_offsets: 4096 bytes are not the 2048 of its dtype and shape"}),
        changed("integers as weights",
                [](SafetensorsWriter& w) { w.header[q_proj]["dtype"] = "I32"; },
                {std::string("tensor ") + q_proj + ": type I32 is not supported for weights"}),
        without_field("shape", "is missing"),
        field("shape", {-32, 32}, "-32 is outside"),
        field("shape", {32.5, 32}, "must hold integers"),
        field("shape", "32", "must be an array"),
        field("shape", {int64_t{1} << 40, int64_t{1} << 40}, "its product is too large"),
        field("shape", {UINT64_MAX, 1}, "18446744073709551615 is outside"),
        field("shape", {1, 1, 1, 1, 1, 1, 1, 1, 1}, "9 dimensions are more than 8"),
        without_field("data_offsets", "must be two integers"),
        field("data_offsets", {0}, "must be two integers"),
        field("data_offsets", {4096, 0}, "lies outside"),
        field("data_offsets", {0, int64_t{1} << 60}, "lies outside the file's"),
        changed("overlapping tensors",
                [](SafetensorsWriter& w) {
                    w.header[q_proj]["data_offsets"] = {0, 4096};
                },
                {"data_offsets: overlaps the tensor before it"}),
        changed("a gap", [](SafetensorsWriter& w) { w.header.erase(q_proj); },
                {"data_offsets: leaves a gap before it"}),
        changed("bytes behind the last tensor", [](SafetensorsWriter& w) { w.data += "extra"; },
                {"5 bytes of data belong to no tensor"}),
        changed(
            "another shape than the config's",
            [](SafetensorsWriter& w) {
                w.header[q_proj]["shape"] = {16, 64};
            },
            {std::string("tensor ") + q_proj + ": shape [16, 64] is not the config's [32, 32]"}),
        changed("a vector for a matrix",
                [](SafetensorsWriter& w) { w.header[q_proj]["shape"] = {1024}; },
                {std::string("tensor ") + q_proj + ": shape [1024] is not the config's [32, 32]"}),
        changed("a tensor of another family",
                [](SafetensorsWriter& w) {
                    w.add("model.layers.0.self_attn.q_norm.weight", "F32", {16},
                          counting_floats(16));
                },
                {"tensor model.layers.0.self_attn.q_norm.weight: the engine has no use for this "
                 "tensor"}),
        changed(
            "a bias on o, not zero",
            [](SafetensorsWriter& w) {
                w.add("model.layers.0.self_attn.o_proj.bias", "F32", {32}, counting_floats(32));
            },
            {"tensor model.layers.0.self_attn.o_proj.bias: the engine has no use for this tensor"}),
        file_bytes("a missing tensor",
                   [] {
                       return tiny_safetensors(
                                  [](const std::string& name) { return name != q_proj; })
                           .bytes();
                   },
                   {std::string("tensor ") + q_proj + " is missing"}),
    };
}

std::vector<BadCase> bad_indexes() {
    return {
        index_case("empty file", [](const path& f) { write_file(f / index_name, ""); },
                   {index_name, "line 1, column 1"}),
        index_case("a list", [](const path& f) { write_file(f / index_name, "[]"); },
                   {index_name, "must be an object, not an array"}),
        index_case("no weight_map", [](const path& f) { write_file(f / index_name, "{}"); },
                   {index_name, "weight_map: is missing"}),
        index_case("a weight_map that is a list",
                   [](const path& f) { write_file(f / index_name, "{\"weight_map\": []}"); },
                   {"weight_map: must be an object, not an array"}),
        index_case("an empty weight_map",
                   [](const path& f) { write_file(f / index_name, "{\"weight_map\": {}}"); },
                   {"weight_map: is empty"}),
        index_case("a tensor twice",
                   [](const path& f) {
                       write_file(f / index_name, "{\"weight_map\": {\"a\": \"x\", \"a\": \"y\"}}");
                   },
                   {index_name, "duplicate key \"a\""}),
        index_case(
            "a shard that is a number",
            [](const path& f) { write_file(f / index_name, "{\"weight_map\": {\"a\": 1}}"); },
            {"weight_map.a: must be a string"}),
        shard_name("a shard in the folder above", "../model.safetensors",
                   "is not a plain file name"),
        shard_name("a shard by its absolute path", "/etc/passwd", "is not a plain file name"),
        shard_name("a shard in a folder below", "sub/model.safetensors",
                   "is not a plain file name"),
        shard_name("a shard without a name", "", "is not a plain file name"),
        shard_name("a shard with NUL in its name", std::string("a\0.safetensors", 14),
                   "is not a plain file name"),
        shard_name("the index as its own shard", index_name, "is not a .safetensors file"),
        shard_name("a shard that is no safetensors file", "pytorch_model.bin",
                   "is not a .safetensors file"),
        index_case("a missing shard",
                   [](const path& f) { std::filesystem::remove(f / second_shard); },
                   {index_name, "shard: ", second_shard, "No such file or directory"}),
        index_case("shards that link in a circle",
                   [](const path& f) {
                       std::filesystem::remove(f / second_shard);
                       std::filesystem::create_symlink("circle.safetensors", f / second_shard);
                       std::filesystem::create_symlink(second_shard, f / "circle.safetensors");
                   },
                   {index_name, second_shard, "Too many levels of symbolic links"}),
        index_case("a shard that is a directory",
                   [](const path& f) {
                       std::filesystem::remove(f / second_shard);
                       std::filesystem::create_directory(f / second_shard);
                   },
                   {second_shard, "is a directory"}),
        index_case(
            "a tensor that is not in its shard",
            [](const path& f) {
                change_index(f, [](Json& index) {
                    index["weight_map"]["model.extra.weight"] = second_shard;
                });
            },
            {index_name, "weight_map.model.extra.weight: the tensor is not in ", second_shard}),
        index_case("a tensor in a shard that the index does not know",
                   [](const path& f) {
                       change_index(
                           f, [](Json& index) { index["weight_map"].erase("model.norm.weight"); });
                   },
                   {"tensor model.norm.weight: ", index_name, "does not put it into this shard"}),
        index_case("a tensor in two shards",
                   [](const path& f) { write_file(f / second_shard, tiny_safetensors().bytes()); },
                   {second_shard, "does not put it into this shard"}),
        index_case("a shard cut short",
                   [](const path& f) { std::filesystem::resize_file(f / second_shard, 5000); },
                   {second_shard, "lies outside the file's"}),
    };
}

}  // namespace lockstep::test
