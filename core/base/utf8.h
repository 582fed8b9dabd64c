// SPDX-License-Identifier: GPL-3.0-or-later
// UTF-8, as Python's bytes.decode("utf-8", errors="replace") sees it: an invalid sequence counts as
// one U+FFFD per maximal subpart (Unicode 15, section 3.9, table 3-8).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep {

struct CodePoint {
    char32_t value = 0;  // U+FFFD where invalid
    uint8_t length = 0;  // bytes it took, at least 1; of an invalid one, its maximal subpart
    bool valid = false;
};

// The code point that begins at text[at]; `at` must be inside the text.
CodePoint code_point_at(std::string_view text, size_t at);
bool is_valid_utf8(std::string_view text);
std::string replace_invalid_utf8(std::string_view text);
void append_utf8(std::string& text, char32_t value);

}  // namespace lockstep
