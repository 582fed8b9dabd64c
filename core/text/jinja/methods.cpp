// SPDX-License-Identifier: GPL-3.0-or-later
// Methods of lists, tuples and dicts.
#include "core/text/jinja/methods.h"

#include <algorithm>

namespace lockstep::jinja {
namespace {

Result<Value> items(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind("items", 1, {}));
    std::vector<Value> pairs;
    for (const auto& [key, value] : input_of(arguments).as_dict().entries) {
        LOCKSTEP_ASSIGN(Value pair, runtime.make_sequence({key, value}, Sequence::Form::tuple));
        pairs.push_back(std::move(pair));
    }
    return runtime.make_sequence(std::move(pairs));
}

Result<Value> keys(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind("keys", 1, {}));
    std::vector<Value> all;
    for (const auto& entry : input_of(arguments).as_dict().entries) all.push_back(entry.first);
    return runtime.make_sequence(std::move(all));
}

Result<Value> values(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind("values", 1, {}));
    std::vector<Value> all;
    for (const auto& entry : input_of(arguments).as_dict().entries) all.push_back(entry.second);
    return runtime.make_sequence(std::move(all));
}

Result<Value> get(Runtime&, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("get", 1, {"key", "default"}, 1));
    if (const Value* found = input_of(arguments).as_dict().find(given[0])) return *found;
    const bool has_default = arguments.positional.size() > 2 || !arguments.keyword.empty();
    return has_default ? given[1] : Value::none();
}

Result<Value> copy(Runtime&, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind("copy", 1, {}));
    return input_of(arguments);
}

Result<Value> count(Runtime&, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("count", 1, {"value"}, 1));
    const auto& all = input_of(arguments).items();
    return Value::integer(std::count_if(
        all.begin(), all.end(), [&given](const Value& item) { return equal(item, given[0]); }));
}

Result<Value> index(Runtime&, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("index", 1, {"value"}, 1));
    const auto& all = input_of(arguments).items();
    for (size_t i = 0; i < all.size(); ++i)
        if (equal(all[i], given[0])) return Value::integer(static_cast<int64_t>(i));
    return fail("index: the list does not hold this value");
}

Function find_dict_method(std::string_view name) {
    if (name == "items") return items;
    if (name == "keys") return keys;
    if (name == "values") return values;
    if (name == "get") return get;
    return name == "copy" ? copy : nullptr;
}

Function find_list_method(const Value& value, std::string_view name) {
    if (name == "count") return count;
    if (name == "index") return index;
    return name == "copy" && value.is_form(Sequence::Form::list) ? copy : nullptr;
}

}  // namespace

Function find_method(const Value& value, std::string_view name) {
    if (value.is_text()) return find_string_method(name);
    if (value.is_dict()) return find_dict_method(name);
    if (value.is_form(Sequence::Form::list) || value.is_form(Sequence::Form::tuple))
        return find_list_method(value, name);
    return nullptr;
}

}  // namespace lockstep::jinja
