// SPDX-License-Identifier: GPL-3.0-or-later
// A template's text as tokens, whitespace control already done: trim_blocks, lstrip_blocks and the
// signs of {%- -%} {%+ +%}, as jinja2 3.1 does them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/status.h"

namespace lockstep::jinja {

struct Token {
    enum class Kind : uint8_t {
        data,  // text between tags
        variable_begin,
        variable_end,
        block_begin,
        block_end,
        name,
        string,
        integer,
        real,
        symbol,  // an operator or a bracket: its text says which
        end,
    };
    Kind kind = Kind::end;
    int line = 1;
    std::string text;  // a string's without quotes and escapes
    int64_t integer = 0;
    double real = 0;
};

// Ends with one Kind::end token. An error begins with "line N: ".
Result<std::vector<Token>> tokenize(std::string_view source);

// "line 3: <what>"
tl::unexpected<Error> fail_at(int line, const std::string& what);

}  // namespace lockstep::jinja
