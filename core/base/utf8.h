// SPDX-License-Identifier: GPL-3.0-or-later
// UTF-8 as Unicode 15, table 3-7, defines it: no overlong forms, no surrogates, nothing past
// U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace lockstep {

// Length of the well-formed code point that `text` begins with; 0 where there is none.
size_t utf8_code_point_length(std::string_view text);

// Offset of the first byte that is not part of a well-formed code point; npos for valid text.
size_t utf8_first_invalid(std::string_view text);

inline bool utf8_valid(std::string_view text) {
    return utf8_first_invalid(text) == std::string_view::npos;
}

}  // namespace lockstep
