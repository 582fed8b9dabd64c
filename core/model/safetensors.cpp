// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>
#include <unordered_map>

#include "core/base/json.h"

namespace lockstep {
namespace {

constexpr uint64_t max_header = 100'000'000;
constexpr size_t max_rank = 8;

struct SafetensorsType {
    std::string_view name;
    uint64_t bytes;
    std::optional<DType> dtype;
};
constexpr std::array types{
    SafetensorsType{"F32", 4, DType::f32},   SafetensorsType{"F16", 2, DType::f16},
    SafetensorsType{"BF16", 2, DType::bf16}, SafetensorsType{"F64", 8, {}},
    SafetensorsType{"I64", 8, {}},           SafetensorsType{"I32", 4, {}},
    SafetensorsType{"I16", 2, {}},           SafetensorsType{"I8", 1, {}},
    SafetensorsType{"U64", 8, {}},           SafetensorsType{"U32", 4, {}},
    SafetensorsType{"U16", 2, {}},           SafetensorsType{"U8", 1, {}},
    SafetensorsType{"BOOL", 1, {}},          SafetensorsType{"F8_E4M3", 1, {}},
    SafetensorsType{"F8_E5M2", 1, {}},       SafetensorsType{"F8_E8M0", 1, {}},
    SafetensorsType{"C64", 8, {}},
};

struct Entry {
    StoredTensor tensor;
    uint64_t first = 0;  // data_offsets
    uint64_t last = 0;
};

// The header's text; the data section is what follows it.
Result<std::string_view> header_text(const MappedFile& file) {
    const std::string where = file.path().string();
    const std::string_view all = file.text();
    if (all.size() < 8) {
        return fail(ErrorKind::invalid_file, where + ": " + std::to_string(all.size()) +
                                                 " bytes are too few for a safetensors file");
    }
    uint64_t size = 0;
    std::memcpy(&size, all.data(), sizeof size);
    if (size > max_header) {
        return fail(ErrorKind::invalid_file,
                    where + ": header of " + std::to_string(size) +
                        " bytes: more than the 100 MB that the format allows");
    }
    if (size > all.size() - 8) {
        return fail(ErrorKind::invalid_file, where + ": header of " + std::to_string(size) +
                                                 " bytes: the file ends before it does");
    }
    const std::string_view header = all.substr(8, size);
    if (!header.starts_with('{')) {
        return fail(ErrorKind::invalid_file, where + ": header: must begin with '{'");
    }
    return header;
}

// The product of the shape, with each size and the product kept far from overflow.
Result<uint64_t> read_shape(const JsonObject& object, StoredTensor& tensor) {
    constexpr int64_t max_elements = int64_t{1} << 48;
    LOCKSTEP_ASSIGN(const Json* shape, object.array("shape"));
    if (shape->size() > max_rank) {
        return object.error("shape", std::to_string(shape->size()) + " dimensions are more than 8");
    }
    LOCKSTEP_ASSIGN(tensor.shape, object.integers_or_none("shape", 0, max_elements));
    int64_t elements = 1;
    for (int64_t size : tensor.shape) {
        if (size > 0 && elements > max_elements / size) {
            return object.error("shape", "its product is too large");
        }
        elements *= size;
    }
    return static_cast<uint64_t>(elements);
}

Result<Entry> read_entry(const std::string& name, const Json& value, const MappedFile& file,
                         uint64_t data_bytes) {
    Entry entry;
    StoredTensor& tensor = entry.tensor;
    tensor.name = name;
    tensor.file = file.path();
    LOCKSTEP_ASSIGN(const JsonObject object,
                    JsonObject::of(value, file.path().string() + ": tensor " + printable(name)));
    LOCKSTEP_ASSIGN(tensor.type, object.string("dtype"));
    const auto* type = std::ranges::find(types, tensor.type, &SafetensorsType::name);
    if (type == types.end()) {
        return object.error("dtype",
                            in_quotes(tensor.type) + " is not known; supported: F32, F16, BF16",
                            ErrorKind::unsupported);
    }
    tensor.dtype = type->dtype;
    LOCKSTEP_ASSIGN(const uint64_t elements, read_shape(object, tensor));
    LOCKSTEP_ASSIGN(const auto offsets, object.integers_or_none("data_offsets", 0, INT64_MAX));
    if (offsets.size() != 2) return object.error("data_offsets", "must be two integers");
    entry.first = static_cast<uint64_t>(offsets[0]);
    entry.last = static_cast<uint64_t>(offsets[1]);
    if (entry.first > entry.last || entry.last > data_bytes) {
        return object.error("data_offsets",
                            "[" + std::to_string(entry.first) + ", " + std::to_string(entry.last) +
                                "] lies outside the file's " + std::to_string(data_bytes) +
                                " bytes of data (is the file cut short?)");
    }
    if (entry.last - entry.first != elements * type->bytes) {
        return object.error("data_offsets",
                            std::to_string(entry.last - entry.first) + " bytes are not the " +
                                std::to_string(elements * type->bytes) + " of its dtype and shape");
    }
    return entry;
}

// Sorted by offset, the tensors must follow each other from 0 to the end.
Status check_coverage(std::vector<Entry>& entries, const std::string& where, uint64_t data_bytes) {
    std::ranges::sort(entries, {},
                      [](const Entry& entry) { return std::pair(entry.first, entry.last); });
    uint64_t end = 0;
    for (const Entry& entry : entries) {
        if (entry.first != end) {
            return fail(ErrorKind::invalid_file,
                        where + ": tensor " + printable(entry.tensor.name) + ": data_offsets: " +
                            (entry.first < end ? "overlaps the tensor before it"
                                               : "leaves a gap before it"));
        }
        end = entry.last;
    }
    if (end != data_bytes) {
        return fail(ErrorKind::invalid_file, where + ": " + std::to_string(data_bytes - end) +
                                                 " bytes of data belong to no tensor");
    }
    return {};
}

// "model-00001-of-00002.safetensors": in the folder itself, whatever the index says.
Status check_shard_name(const JsonObject& map, const std::string& tensor,
                        const std::string& shard) {
    if (shard.empty() || shard.find('/') != shard.npos || shard.find('\\') != shard.npos ||
        shard.find('\0') != shard.npos) {
        return map.error(printable(tensor),
                         "shard " + in_quotes(shard) +
                             " is not a plain file name: shards must lie in the model's folder");
    }
    if (!shard.ends_with(".safetensors")) {
        return map.error(printable(tensor),
                         "shard " + in_quotes(shard) + " is not a .safetensors file");
    }
    return {};
}

// Shard by shard, the tensors that the index puts there.
using ShardMap = std::map<std::string, std::set<std::string>>;

Result<ShardMap> read_index(const std::filesystem::path& path) {
    LOCKSTEP_ASSIGN(const Json json, read_json_file(path, {size_t{64} << 20, 8}));
    LOCKSTEP_ASSIGN(const JsonObject index, JsonObject::of(json, path.string()));
    LOCKSTEP_ASSIGN(const JsonObject map, index.object("weight_map"));
    if (map.json().empty()) return index.error("weight_map", "is empty");
    ShardMap shards;
    for (const auto& [tensor, value] : map.json().items()) {
        LOCKSTEP_ASSIGN(const std::string shard, map.string(tensor));
        LOCKSTEP_TRY(check_shard_name(map, tensor, shard));
        shards[shard].insert(tensor);
    }
    return shards;
}

Status check_against_index(const std::vector<StoredTensor>& tensors,
                           const std::set<std::string>& indexed, const std::filesystem::path& index,
                           const std::string& shard) {
    std::set<std::string> present;
    for (const StoredTensor& tensor : tensors) {
        if (!indexed.contains(tensor.name)) {
            return fail(ErrorKind::invalid_file, tensor.where() + ": " + index.filename().string() +
                                                     " does not put it into this shard");
        }
        present.insert(tensor.name);
    }
    for (const std::string& name : indexed) {
        if (!present.contains(name)) {
            return fail(ErrorKind::invalid_file, index.string() + ": weight_map." +
                                                     printable(name) + ": the tensor is not in " +
                                                     shard);
        }
    }
    return {};
}

}  // namespace

Result<std::vector<StoredTensor>> read_safetensors(const MappedFile& file) {
    LOCKSTEP_ASSIGN(const std::string_view text, header_text(file));
    const std::string where = file.path().string();
    LOCKSTEP_ASSIGN(const Json header, parse_json(text, where + ": header", {max_header, 4}));
    const auto data = file.bytes().subspan(8 + text.size());
    std::vector<Entry> entries;
    for (const auto& [name, value] : header.items()) {
        if (name == "__metadata__") continue;
        LOCKSTEP_ASSIGN(Entry entry, read_entry(name, value, file, data.size()));
        entries.push_back(std::move(entry));
    }
    LOCKSTEP_TRY(check_coverage(entries, where, data.size()));
    std::vector<StoredTensor> tensors;
    tensors.reserve(entries.size());
    for (Entry& entry : entries) {
        entry.tensor.data = data.subspan(entry.first, entry.last - entry.first);
        tensors.push_back(std::move(entry.tensor));
    }
    return tensors;
}

Result<std::map<std::string, std::string>> read_safetensors_metadata(const MappedFile& file) {
    LOCKSTEP_ASSIGN(const std::string_view text, header_text(file));
    const std::string where = file.path().string();
    LOCKSTEP_ASSIGN(const Json header, parse_json(text, where + ": header", {max_header, 4}));
    LOCKSTEP_ASSIGN(const JsonObject top, JsonObject::of(header, where + ": header"));
    std::map<std::string, std::string> metadata;
    if (!top.has("__metadata__")) return metadata;
    LOCKSTEP_ASSIGN(const JsonObject object, top.object("__metadata__"));
    for (const auto& [key, value] : object.json().items()) {
        LOCKSTEP_ASSIGN(metadata[key], object.string(key));
    }
    return metadata;
}

Result<SafetensorsFolder> open_safetensors(const std::filesystem::path& folder) {
    SafetensorsFolder opened;
    opened.where = folder / "model.safetensors";
    std::error_code ignored;
    if (std::filesystem::exists(std::filesystem::symlink_status(opened.where, ignored))) {
        LOCKSTEP_ASSIGN(MappedFile file, MappedFile::open(opened.where));
        LOCKSTEP_ASSIGN(opened.tensors, read_safetensors(file));
        opened.files.push_back(std::move(file));
        return opened;
    }
    opened.where += ".index.json";
    LOCKSTEP_ASSIGN(const ShardMap shards, read_index(opened.where));
    for (const auto& [shard, indexed] : shards) {
        auto file = MappedFile::open(folder / shard);
        if (!file) return within(opened.where.string() + ": shard", std::move(file).error());
        LOCKSTEP_ASSIGN(auto tensors, read_safetensors(*file));
        LOCKSTEP_TRY(check_against_index(tensors, indexed, opened.where, shard));
        std::ranges::move(tensors, std::back_inserter(opened.tensors));
        opened.files.push_back(std::move(*file));
    }
    return opened;
}

}  // namespace lockstep
