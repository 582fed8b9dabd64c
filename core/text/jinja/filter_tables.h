// SPDX-License-Identifier: GPL-3.0-or-later
// The filters' tables, one for each file that holds some, and what they share.
#pragma once

#include <span>
#include <string_view>

#include "core/text/jinja/runtime.h"

namespace lockstep::jinja {

struct NamedFilter {
    std::string_view name;
    Function function;
};

std::span<const NamedFilter> text_filters();
std::span<const NamedFilter> number_filters();
std::span<const NamedFilter> sequence_filters();
std::span<const NamedFilter> selection_filters();

// What a filter is applied to.
inline const Value& input_of(const Arguments& arguments) {
    return arguments.positional[0];
}

// "a.b.0" of an item, as map(attribute=...) and sort(attribute=...) want it.
Result<Value> attribute_path(Runtime& runtime, const Value& item, const Value& path);

}  // namespace lockstep::jinja
