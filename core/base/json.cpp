// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/json.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "core/base/mapped_file.h"

namespace lockstep {
namespace {

// Reads the text and keeps, for errors that the grammar does not know of, how far it has read.
class TrackedIterator {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    TrackedIterator(const char* at, const char** reached) : at_(at), reached_(reached) {}
    reference operator*() const { return *at_; }
    TrackedIterator& operator++() {
        *reached_ = ++at_;
        return *this;
    }
    TrackedIterator operator++(int) {
        TrackedIterator before = *this;
        ++*this;
        return before;
    }
    bool operator==(const TrackedIterator& other) const { return at_ == other.at_; }
    bool operator!=(const TrackedIterator& other) const { return at_ != other.at_; }

  private:
    const char* at_;
    const char** reached_;
};

std::string place(std::string_view text, size_t offset) {
    const std::string_view before = text.substr(0, std::min(offset, text.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const size_t line_start = before.rfind('\n');
    const size_t column = before.size() - (line_start == before.npos ? 0 : line_start + 1);
    return "line " + std::to_string(line) + ", column " +
           std::to_string(std::max<size_t>(column, 1));
}

// A key short enough, and clean enough, to stand in an error.
std::string shown(std::string_view key) {
    std::string text;
    for (char c : key.substr(0, 60)) text += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    return '"' + text + (key.size() > 60 ? "...\"" : "\"");
}

// Builds the value from the parser's events; returning false ends the parse with `problem`.
template <class Value>
class Builder final : public nlohmann::json_sax<Value> {
  public:
    using typename nlohmann::json_sax<Value>::binary_t;
    using typename nlohmann::json_sax<Value>::number_float_t;
    using typename nlohmann::json_sax<Value>::number_integer_t;
    using typename nlohmann::json_sax<Value>::number_unsigned_t;
    using typename nlohmann::json_sax<Value>::string_t;

    explicit Builder(int max_depth) : max_depth_(max_depth) {}

    bool null() override { return add(Value(nullptr)); }
    bool boolean(bool value) override { return add(Value(value)); }
    bool number_integer(number_integer_t value) override { return add(Value(value)); }
    bool number_unsigned(number_unsigned_t value) override { return add(Value(value)); }
    bool number_float(number_float_t value, const string_t&) override { return add(Value(value)); }
    bool string(string_t& value) override { return add(Value(std::move(value))); }
    bool binary(binary_t&) override { return false; }
    bool start_object(std::size_t) override { return open(Value(Value::value_t::object)); }
    bool start_array(std::size_t) override { return open(Value(Value::value_t::array)); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(string_t& name) override {
        if (!open_.back().keys.insert(name).second) {
            problem = "duplicate key " + shown(name);
            return false;
        }
        open_.back().key = std::move(name);
        return true;
    }

    bool parse_error(std::size_t position, const std::string&,
                     const nlohmann::json::exception& e) override {
        // "[json.exception.parse_error.101] parse error at line 1, column 2: <what>"
        const std::string_view whole = e.what();
        const size_t colon = whole.find(": ");
        problem = colon == whole.npos ? whole : whole.substr(colon + 2);
        error_offset = position;
        has_error_offset = true;
        return false;
    }

    Value root;
    std::string problem;
    size_t error_offset = 0;
    bool has_error_offset = false;

  private:
    struct Level {
        Value* value;
        std::string key = {};
        std::unordered_set<std::string> keys = {};
    };

    Value* place_value(Value&& value) {
        if (open_.empty()) return &(root = std::move(value));
        Level& level = open_.back();
        if (level.value->is_array()) return &level.value->emplace_back(std::move(value));
        auto& members = level.value->template get_ref<typename Value::object_t&>();
        if constexpr (std::is_same_v<Value, OrderedJson>) {
            // Straight to the vector below: ordered_map::emplace would search it for the key first.
            std::vector<typename Value::object_t::value_type>& list = members;
            return &list.emplace_back(std::move(level.key), std::move(value)).second;
        } else {
            return &members.emplace(std::move(level.key), std::move(value)).first->second;
        }
    }
    bool add(Value&& value) {
        place_value(std::move(value));
        return true;
    }
    bool open(Value&& value) {
        if (open_.size() >= static_cast<size_t>(max_depth_)) {
            problem = "nested deeper than " + std::to_string(max_depth_) + " levels";
            return false;
        }
        Value* placed = place_value(std::move(value));
        open_.push_back(Level{placed});
        return true;
    }
    bool close() {
        open_.pop_back();
        return true;
    }

    int max_depth_;
    std::vector<Level> open_;
};

template <class Value>
Result<Value> parse(std::string_view text, const std::string& where, const JsonLimits& limits) {
    if (text.size() > limits.max_bytes) {
        return fail(ErrorKind::invalid_file, where + ": " + std::to_string(text.size()) +
                                                 " bytes of JSON are more than the " +
                                                 std::to_string(limits.max_bytes) +
                                                 " allowed here");
    }
    Builder<Value> builder(limits.max_depth);
    const char* reached = text.data();
    const TrackedIterator first(text.data(), &reached);
    const TrackedIterator last(text.data() + text.size(), &reached);
    if (Value::sax_parse(first, last, &builder)) return std::move(builder.root);
    const auto offset = static_cast<size_t>(reached - text.data());
    return fail(ErrorKind::invalid_file,
                where + ": " +
                    place(text, builder.has_error_offset ? builder.error_offset : offset) + ": " +
                    builder.problem);
}

template <class Number>
std::string range_text(Number min, Number max) {
    return Json(min).dump() + " to " + Json(max).dump();
}

}  // namespace

Result<Json> parse_json(std::string_view text, const std::string& where, const JsonLimits& limits) {
    return parse<Json>(text, where, limits);
}

Result<OrderedJson> parse_ordered_json(std::string_view text, const std::string& where,
                                       const JsonLimits& limits) {
    return parse<OrderedJson>(text, where, limits);
}

Result<Json> read_json_file(const std::filesystem::path& path, const JsonLimits& limits) {
    LOCKSTEP_ASSIGN(const MappedFile file, MappedFile::open(path));
    return parse_json(file.text(), path.string(), limits);
}

std::string_view json_type_name(const Json& value) {
    switch (value.type()) {
        case Json::value_t::null:
            return "null";
        case Json::value_t::object:
            return "an object";
        case Json::value_t::array:
            return "an array";
        case Json::value_t::string:
            return "a string";
        case Json::value_t::boolean:
            return "a boolean";
        case Json::value_t::number_integer:
        case Json::value_t::number_unsigned:
            return "an integer";
        case Json::value_t::number_float:
            return "a number with a fraction or exponent";
        default:
            return "something else";
    }
}

Result<JsonObject> JsonObject::of(const Json& value, std::string where) {
    if (!value.is_object()) {
        return fail(ErrorKind::invalid_file,
                    where + ": must be an object, not " + std::string(json_type_name(value)));
    }
    return JsonObject(&value, std::move(where), true);
}

const Json* JsonObject::find(std::string_view key) const {
    const auto found = value_->find(std::string(key));
    return found == value_->end() || found->is_null() ? nullptr : &*found;
}

std::string JsonObject::where(std::string_view key) const {
    return where_ + (root_ ? ": " : ".") + std::string(key);
}

tl::unexpected<Error> JsonObject::error(std::string_view key, const std::string& what,
                                        ErrorKind kind) const {
    return fail(kind, where(key) + ": " + what);
}

Result<const Json*> JsonObject::require(std::string_view key) const {
    const Json* value = find(key);
    if (!value) return error(key, "is missing");
    return value;
}

Result<int64_t> JsonObject::integer(std::string_view key, int64_t min, int64_t max) const {
    LOCKSTEP_ASSIGN(const Json* value, require(key));
    if (!value->is_number_integer()) {
        return error(key, "must be an integer, not " + std::string(json_type_name(*value)));
    }
    const bool too_large =
        value->is_number_unsigned() &&
        value->get<uint64_t>() > static_cast<uint64_t>(std::max<int64_t>(max, 0));
    if (too_large || value->get<int64_t>() < min || value->get<int64_t>() > max) {
        return error(key, value->dump() + " is outside " + range_text(min, max));
    }
    return value->get<int64_t>();
}

Result<int64_t> JsonObject::integer_or(std::string_view key, int64_t fallback, int64_t min,
                                       int64_t max) const {
    return has(key) ? integer(key, min, max) : fallback;
}

Result<double> JsonObject::number(std::string_view key, double min, double max) const {
    LOCKSTEP_ASSIGN(const Json* value, require(key));
    if (!value->is_number()) {
        return error(key, "must be a number, not " + std::string(json_type_name(*value)));
    }
    const auto number = value->get<double>();
    if (!std::isfinite(number) || number < min || number > max) {
        return error(key, value->dump() + " is outside " + range_text(min, max));
    }
    return number;
}

Result<double> JsonObject::number_or(std::string_view key, double fallback, double min,
                                     double max) const {
    return has(key) ? number(key, min, max) : fallback;
}

Result<bool> JsonObject::boolean(std::string_view key) const {
    LOCKSTEP_ASSIGN(const Json* value, require(key));
    if (!value->is_boolean()) {
        return error(key, "must be true or false, not " + std::string(json_type_name(*value)));
    }
    return value->get<bool>();
}

Result<bool> JsonObject::boolean_or(std::string_view key, bool fallback) const {
    return has(key) ? boolean(key) : fallback;
}

Result<std::string> JsonObject::string(std::string_view key) const {
    LOCKSTEP_ASSIGN(const Json* value, require(key));
    if (!value->is_string()) {
        return error(key, "must be a string, not " + std::string(json_type_name(*value)));
    }
    return value->get<std::string>();
}

Result<std::string> JsonObject::string_or(std::string_view key, std::string fallback) const {
    if (!has(key)) return fallback;
    return string(key);
}

Result<JsonObject> JsonObject::object(std::string_view key) const {
    LOCKSTEP_ASSIGN(const Json* value, require(key));
    if (!value->is_object()) {
        return error(key, "must be an object, not " + std::string(json_type_name(*value)));
    }
    return JsonObject(value, where(key), false);
}

Result<const Json*> JsonObject::array(std::string_view key) const {
    LOCKSTEP_ASSIGN(const Json* value, require(key));
    if (!value->is_array()) {
        return error(key, "must be an array, not " + std::string(json_type_name(*value)));
    }
    return value;
}

Result<std::vector<int64_t>> JsonObject::integers_or_none(std::string_view key, int64_t min,
                                                          int64_t max) const {
    const Json* value = find(key);
    if (!value) return std::vector<int64_t>{};
    if (!value->is_array()) {
        LOCKSTEP_ASSIGN(const int64_t single, integer(key, min, max));
        return std::vector<int64_t>{single};
    }
    std::vector<int64_t> list;
    for (const Json& entry : *value) {
        if (!entry.is_number_integer()) {
            return error(key, "must hold integers, not " + std::string(json_type_name(entry)));
        }
        const bool too_large = entry.is_number_unsigned() && entry.get<uint64_t>() > INT64_MAX;
        if (too_large || entry.get<int64_t>() < min || entry.get<int64_t>() > max) {
            return error(key, entry.dump() + " is outside " + range_text(min, max));
        }
        list.push_back(entry.get<int64_t>());
    }
    return list;
}

}  // namespace lockstep
