// SPDX-License-Identifier: GPL-3.0-or-later
// The filters' tables, one for each file that holds some, and what they share.
#pragma once

#include <span>
#include <string_view>

#include "core/text/jinja/runtime.h"

namespace lockstep::jinja {

std::span<const NamedFunction> text_filters();
std::span<const NamedFunction> number_filters();
std::span<const NamedFunction> sequence_filters();
std::span<const NamedFunction> selection_filters();

constexpr auto lazy = Sequence::Form::generator;  // what Python's map and select give

// "a.b.0" of an item, as map(attribute=...) and sort(attribute=...) want it.
Result<Value> attribute_path(Runtime& runtime, const Value& item, const Value& path);

}  // namespace lockstep::jinja
