// SPDX-License-Identifier: GPL-3.0-or-later
// JSON from outside, strictly: no duplicate keys, no comments, no trailing text, valid UTF-8,
// bounded depth and size. Errors name the file and the place ("config.json: line 3, column 7:
// ..."), and the typed getters name the field ("config.json: rope_scaling.factor: ...").
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/status.h"

namespace lockstep {

using Json = nlohmann::json;                 // keys sorted
using OrderedJson = nlohmann::ordered_json;  // keys as written; looking one up is linear

struct JsonLimits {
    size_t max_bytes = size_t{256} << 20;
    int max_depth = 64;
};

// `where` stands in front of every error: a file's path, or the name of a metadata key.
Result<Json> parse_json(std::string_view text, const std::string& where,
                        const JsonLimits& limits = {});
Result<OrderedJson> parse_ordered_json(std::string_view text, const std::string& where,
                                       const JsonLimits& limits = {});
Result<Json> read_json_file(const std::filesystem::path& path, const JsonLimits& limits = {});

// A view of an object, with the words that an error needs to name a field of it. The Json must
// outlive it. Every getter fails where the field is missing, null or of another type; the `_or`
// ones take the fallback where it is missing or null, and fail on another type all the same.
class JsonObject {
  public:
    // Fails where the value is not an object.
    static Result<JsonObject> of(const Json& value, std::string where);
    static Result<JsonObject> of(Json&&, std::string) = delete;

    // Present and not null.
    bool has(std::string_view key) const { return find(key) != nullptr; }
    // Null where the field is missing or null.
    const Json* find(std::string_view key) const;
    const Json& json() const { return *value_; }
    // "config.json: rope_scaling.factor"
    std::string where(std::string_view key) const;
    const std::string& where() const { return where_; }

    Result<int64_t> integer(std::string_view key, int64_t min, int64_t max) const;
    Result<int64_t> integer_or(std::string_view key, int64_t fallback, int64_t min,
                               int64_t max) const;
    // A finite number in [min, max].
    Result<double> number(std::string_view key, double min, double max) const;
    Result<double> number_or(std::string_view key, double fallback, double min, double max) const;
    Result<bool> boolean(std::string_view key) const;
    Result<bool> boolean_or(std::string_view key, bool fallback) const;
    Result<std::string> string(std::string_view key) const;
    Result<std::string> string_or(std::string_view key, std::string fallback) const;
    Result<JsonObject> object(std::string_view key) const;
    Result<const Json*> array(std::string_view key) const;
    // One integer or a list of them; empty where the field is missing or null.
    Result<std::vector<int64_t>> integers_or_none(std::string_view key, int64_t min,
                                                  int64_t max) const;

    // An error about a field: "config.json: hidden_act: <what>".
    tl::unexpected<Error> error(std::string_view key, const std::string& what,
                                ErrorKind kind = ErrorKind::invalid_file) const;

  private:
    JsonObject(const Json* value, std::string where, bool root)
        : value_(value), where_(std::move(where)), root_(root) {}
    Result<const Json*> require(std::string_view key) const;

    const Json* value_;
    std::string where_;
    bool root_;
};

// "an object", "a string", ...: a value's type in an error's words.
std::string_view json_type_name(const Json& value);

}  // namespace lockstep
