// SPDX-License-Identifier: GPL-3.0-or-later
// Values as Python writes them: str(), repr() and json.dumps().
#pragma once

#include <string>
#include <string_view>

#include "core/text/jinja/runtime.h"

namespace lockstep::jinja {

// What {{ value }} prints.
Result<Text> to_text(Runtime& runtime, const Value& value);
Result<std::string> repr(Runtime& runtime, const Value& value);
std::string real_repr(double value);  // 1.0, 0.1, 1e+16, inf, nan

struct JsonStyle {
    bool ensure_ascii = false;
    bool sort_keys = false;
    bool pretty = false;  // each item on a line of its own
    std::string indent;   // per level, if pretty
    std::string item_separator = ", ";
    std::string key_separator = ": ";
};
Result<std::string> to_json(Runtime& runtime, const Value& value, const JsonStyle& style);

}  // namespace lockstep::jinja
