// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/gguf_metadata.h"

#include <cmath>
#include <cstring>

#include "core/base/utf8.h"
#include "core/model/stored_tensor.h"

namespace lockstep {

Result<GgufMetadata> GgufMetadata::read(GgufReader& reader, uint64_t count,
                                        const std::filesystem::path& path) {
    constexpr uint64_t most = 1 << 16;  // far above what any model has
    GgufMetadata metadata;
    metadata.path_ = path;
    if (count > most || count > reader.remaining() / 13) {
        return reader.fail("the header announces " + std::to_string(count) +
                           " metadata keys, more than the file can hold");
    }
    for (uint64_t i = 0; i < count; ++i) {
        LOCKSTEP_ASSIGN(const auto key, reader.string("a metadata key"));
        if (key.empty() || key.size() > 65535 || !is_valid_utf8(key)) {
            return reader.fail("metadata key " + in_quotes(key) +
                               " is not UTF-8 of 1 to 65535 bytes");
        }
        reader.set_place(key);
        LOCKSTEP_ASSIGN(const GgufValue value, read_gguf_value(reader));
        reader.set_place("");
        if (!metadata.values_.emplace(key, value).second) {
            return reader.fail("duplicate metadata key " + printable(key));
        }
    }
    return metadata;
}

const GgufValue* GgufMetadata::find(std::string_view key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
}

std::string GgufMetadata::where(std::string_view key) const {
    return path_.string() + ": " + std::string(key);
}

tl::unexpected<Error> GgufMetadata::error(std::string_view key, const std::string& what,
                                          ErrorKind kind) const {
    return fail(kind, where(key) + ": " + what);
}

Result<int64_t> GgufMetadata::integer(std::string_view key, int64_t min, int64_t max) const {
    const GgufValue* value = find(key);
    if (!value) return error(key, "is missing");
    const auto range = [&](const std::string& text) {
        return error(key,
                     text + " is outside " + std::to_string(min) + " to " + std::to_string(max));
    };
    if (const auto* number = std::get_if<uint64_t>(value)) {
        if (*number > static_cast<uint64_t>(INT64_MAX)) return range(std::to_string(*number));
        const auto converted = static_cast<int64_t>(*number);
        return converted < min || converted > max ? Result<int64_t>(range(std::to_string(*number)))
                                                  : converted;
    }
    if (const auto* number = std::get_if<int64_t>(value)) {
        return *number < min || *number > max ? Result<int64_t>(range(std::to_string(*number)))
                                              : *number;
    }
    return error(key, "must be an integer");
}

Result<int64_t> GgufMetadata::integer_or(std::string_view key, int64_t fallback, int64_t min,
                                         int64_t max) const {
    return has(key) ? integer(key, min, max) : fallback;
}

Result<double> GgufMetadata::number(std::string_view key, double min, double max) const {
    const GgufValue* value = find(key);
    if (!value) return error(key, "is missing");
    double number = 0;
    if (const auto* floating = std::get_if<double>(value)) {
        number = *floating;
    } else if (const auto* whole = std::get_if<uint64_t>(value)) {
        number = static_cast<double>(*whole);
    } else if (const auto* negative = std::get_if<int64_t>(value)) {
        number = static_cast<double>(*negative);
    } else {
        return error(key, "must be a number");
    }
    if (!std::isfinite(number) || number < min || number > max) {
        return error(key, std::to_string(number) + " is outside " + std::to_string(min) + " to " +
                              std::to_string(max));
    }
    return number;
}

Result<double> GgufMetadata::number_or(std::string_view key, double fallback, double min,
                                       double max) const {
    return has(key) ? number(key, min, max) : fallback;
}

Result<bool> GgufMetadata::boolean_or(std::string_view key, bool fallback) const {
    const GgufValue* value = find(key);
    if (!value) return fallback;
    const auto* boolean = std::get_if<bool>(value);
    return boolean ? Result<bool>(*boolean) : error(key, "must be true or false");
}

Result<std::string> GgufMetadata::string(std::string_view key) const {
    const GgufValue* value = find(key);
    if (!value) return error(key, "is missing");
    const auto* text = std::get_if<std::string_view>(value);
    if (!text) return error(key, "must be a string");
    if (!is_valid_utf8(*text)) return error(key, "is not valid UTF-8");
    return std::string(*text);
}

Result<std::string> GgufMetadata::string_or(std::string_view key, std::string fallback) const {
    if (!has(key)) return fallback;
    return string(key);
}

Result<const GgufArray*> GgufMetadata::array(std::string_view key) const {
    const GgufValue* value = find(key);
    if (!value) return nullptr;
    const auto* found = std::get_if<GgufArray>(value);
    return found ? Result<const GgufArray*>(found) : error(key, "must be an array");
}

Result<std::vector<std::string>> GgufMetadata::strings_or_none(std::string_view key) const {
    std::vector<std::string> list;
    LOCKSTEP_ASSIGN(const GgufArray* found, array(key));
    if (!found) return list;
    if (found->type != GgufType::string) return error(key, "must be an array of strings");
    list.reserve(found->count);
    GgufReader reader(found->data, 0, where(key));
    for (uint64_t i = 0; i < found->count; ++i) {
        LOCKSTEP_ASSIGN(const auto text, reader.string("a string"));
        list.emplace_back(text);
    }
    return list;
}

Result<std::vector<int64_t>> GgufMetadata::integers_or_none(std::string_view key) const {
    std::vector<int64_t> list;
    LOCKSTEP_ASSIGN(const GgufArray* found, array(key));
    if (!found) return list;
    const size_t size = gguf_element_size(found->type);
    list.reserve(found->count);
    for (uint64_t i = 0; i < found->count; ++i) {
        if (size == 0) return error(key, "must be an array of integers");
        const GgufValue value = gguf_scalar(found->type, found->data.data() + i * size);
        if (const auto* number = std::get_if<int64_t>(&value)) {
            list.push_back(*number);
        } else if (const auto* whole = std::get_if<uint64_t>(&value);
                   whole && *whole <= INT64_MAX) {
            list.push_back(static_cast<int64_t>(*whole));
        } else {
            return error(key, "must be an array of integers");
        }
    }
    return list;
}

Result<std::vector<float>> GgufMetadata::floats_or_none(std::string_view key) const {
    std::vector<float> list;
    LOCKSTEP_ASSIGN(const GgufArray* found, array(key));
    if (!found) return list;
    if (found->type != GgufType::f32) return error(key, "must be an array of 32-bit floats");
    list.resize(found->count);
    if (!list.empty()) std::memcpy(list.data(), found->data.data(), found->data.size());
    return list;
}

}  // namespace lockstep
