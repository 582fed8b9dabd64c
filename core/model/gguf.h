// SPDX-License-Identifier: GPL-3.0-or-later
// Reads GGUF version 2 and 3 (little-endian): typed metadata and the table of tensors. The file is
// mapped and untrusted: every count, length and offset is checked against the file before it is
// used, and nothing is allocated that the file's size does not justify.
// Format: ggml's docs/gguf.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "core/base/mapped_file.h"
#include "core/model/stored_tensor.h"
#include "kernels/status.h"

namespace lockstep {

enum class GgufType : uint32_t {
    u8 = 0,
    i8 = 1,
    u16 = 2,
    i16 = 3,
    u32 = 4,
    i32 = 5,
    f32 = 6,
    boolean = 7,
    string = 8,
    array = 9,
    u64 = 10,
    i64 = 11,
    f64 = 12
};

struct GgufArray {
    GgufType type = GgufType::u8;  // never array: arrays of arrays are refused
    uint64_t count = 0;
    std::span<const std::byte> data;  // the elements as stored, checked to be whole
};

using GgufValue = std::variant<uint64_t, int64_t, double, bool, std::string_view, GgufArray>;

class GgufFile {
  public:
    // Reads the header and the metadata; read_tensors() reads the rest.
    static Result<GgufFile> open(const std::filesystem::path& path);
    // Whether a file begins as GGUF does, whatever its name is.
    static bool is_gguf(const std::filesystem::path& path);

    // A tensor of a type that cannot be expanded, outside the file or over another one is an error.
    Result<std::vector<StoredTensor>> read_tensors() const;

    const std::filesystem::path& path() const { return file_.path(); }
    // The mapping that tensors are views into; the metadata must not be asked afterwards.
    MappedFile release_file() && { return std::move(file_); }
    uint64_t tensor_count() const { return tensor_count_; }

    // Metadata. As JsonObject's: missing, of another type or outside [min, max] is an error that
    // names the file and the key. Integers and floats of any width are read.
    bool has(std::string_view key) const { return find(key) != nullptr; }
    Result<int64_t> integer(std::string_view key, int64_t min, int64_t max) const;
    Result<int64_t> integer_or(std::string_view key, int64_t fallback, int64_t min,
                               int64_t max) const;
    Result<double> number(std::string_view key, double min, double max) const;
    Result<double> number_or(std::string_view key, double fallback, double min, double max) const;
    Result<bool> boolean_or(std::string_view key, bool fallback) const;
    Result<std::string> string(std::string_view key) const;
    Result<std::string> string_or(std::string_view key, std::string fallback) const;
    // Where the key is missing: an empty array.
    Result<std::vector<std::string>> strings_or_none(std::string_view key) const;
    Result<std::vector<int64_t>> integers_or_none(std::string_view key) const;
    Result<std::vector<float>> floats_or_none(std::string_view key) const;

    std::string where(std::string_view key) const;
    tl::unexpected<Error> error(std::string_view key, const std::string& what,
                                ErrorKind kind = ErrorKind::invalid_file) const;

  private:
    const GgufValue* find(std::string_view key) const;
    Result<const GgufArray*> array(std::string_view key) const;

    MappedFile file_;
    uint64_t tensor_count_ = 0;
    size_t tensors_at_ = 0;  // where the table of tensors begins
    std::unordered_map<std::string_view, GgufValue> metadata_;
};

}  // namespace lockstep
