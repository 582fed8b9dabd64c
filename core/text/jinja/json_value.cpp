// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/json_value.h"

#include "core/base/json.h"

namespace lockstep::jinja {
namespace {

// The parser has bounded the depth.
Value convert(const OrderedJson& json) {
    if (json.is_null()) return Value::none();
    if (json.is_boolean()) return Value::boolean(json.get<bool>());
    if (json.is_number_unsigned() && json.get<uint64_t>() > INT64_MAX)
        return Value::real(json.get<double>());
    if (json.is_number_integer()) return Value::integer(json.get<int64_t>());
    if (json.is_number()) return Value::real(json.get<double>());
    if (json.is_string()) return Value::text(Text::from_input(json.get<std::string>()));
    if (json.is_array()) {
        std::vector<Value> items;
        for (const OrderedJson& item : json) items.push_back(convert(item));
        return Value::sequence(std::move(items));
    }
    Dict dict;
    for (const auto& [name, value] : json.items()) {
        Value key = Value::text(Text::from_input(name));
        const std::string hash = *key.hash_key();
        dict.set(hash, std::move(key), convert(value));
    }
    return Value::dict(std::move(dict));
}

}  // namespace

Result<Value> value_of_json(std::string_view json, const std::string& where) {
    LOCKSTEP_ASSIGN(const OrderedJson parsed, parse_ordered_json(json, where));
    return convert(parsed);
}

}  // namespace lockstep::jinja
