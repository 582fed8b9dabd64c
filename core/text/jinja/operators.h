// SPDX-License-Identifier: GPL-3.0-or-later
// Python's operators on a template's values.
#pragma once

#include <string_view>

#include "core/text/jinja/runtime.h"

namespace lockstep::jinja {

// symbol: + - * / // % **
Result<Value> arithmetic(Runtime& runtime, std::string_view symbol, const Value& a, const Value& b);
Result<Value> negate(const Value& value);
// symbol: == != < <= > >= in "not in"
Result<bool> compare(std::string_view symbol, const Value& a, const Value& b);
// a < b; fails where Python raises TypeError.
Result<bool> less(const Value& a, const Value& b);
Result<bool> contains(const Value& container, const Value& item);
// "%s: %d" % values
Result<Value> format_percent(Runtime& runtime, const Text& format, const Value& values);

}  // namespace lockstep::jinja
