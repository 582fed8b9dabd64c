// SPDX-License-Identifier: GPL-3.0-or-later
// A GGUF's metadata: keys with typed values, views into the mapped file. The file is untrusted, so
// a reader says which type and range it expects and gets an error that names file and key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/model/gguf_value.h"

namespace lockstep {

class GgufMetadata {
  public:
    // `reader` stands at the first of `count` keys and afterwards behind the last.
    static Result<GgufMetadata> read(GgufReader& reader, uint64_t count,
                                     const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }

    // As JsonObject's: missing, of another type or outside [min, max] is an error that
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

    std::filesystem::path path_;
    std::unordered_map<std::string_view, GgufValue> values_;
};

}  // namespace lockstep
