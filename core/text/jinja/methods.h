// SPDX-License-Identifier: GPL-3.0-or-later
// Methods of Python's str, list, tuple and dict that change nothing.
#pragma once

#include <string_view>

#include "core/text/jinja/runtime.h"

namespace lockstep::jinja {

// Null where the value has no method of this name. Called, positional[0] is the value.
Function find_method(const Value& value, std::string_view name);
Function find_string_method(std::string_view name);
Function find_string_predicate(std::string_view name);

}  // namespace lockstep::jinja
