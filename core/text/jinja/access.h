// SPDX-License-Identifier: GPL-3.0-or-later
// What a value gives for .name, [item] and [a:b:c], and what one can walk through.
#pragma once

#include <optional>
#include <string_view>

#include "core/text/jinja/runtime.h"

namespace lockstep::jinja {

// value.name: a method or an attribute, else the item of that name, else undefined.
Result<Value> get_attribute(Runtime& runtime, const Value& value, std::string_view name);
// value[key]: the item, else (for a string) the attribute, else undefined.
Result<Value> get_item(Runtime& runtime, const Value& value, const Value& key);

struct SliceBounds {
    std::optional<int64_t> start, stop, step;
};
Result<Value> get_slice(Runtime& runtime, const Value& value, const SliceBounds& bounds);

// The items of a sequence, the keys of a dict, the characters of a string; none of undefined.
Result<std::vector<Value>> iterate(Runtime& runtime, const Value& value);
// Its characters, each with its origin.
std::vector<Value> characters(const Text& text);
// Fails where Python's len() does.
Result<int64_t> length(const Value& value);

}  // namespace lockstep::jinja
