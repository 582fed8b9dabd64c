// SPDX-License-Identifier: GPL-3.0-or-later
// What string methods and filters share. Everything cut out of a text keeps its origin.
#pragma once

#include <string_view>
#include <vector>

#include "core/text/jinja/runtime.h"
#include "core/text/jinja/text.h"

namespace lockstep::jinja {

Text strip_space(const Text& text, bool left, bool right);
// Strips any of the code points of `characters`.
Text strip_characters(const Text& text, std::string_view characters, bool left, bool right);

// At most `limit` cuts, all of them if negative. The separator is not empty.
std::vector<Text> split_left(const Text& text, std::string_view separator, int64_t limit);
std::vector<Text> split_right(const Text& text, std::string_view separator, int64_t limit);
// At runs of whitespace; no part is empty.
std::vector<Text> split_space(const Text& text, int64_t limit);
std::vector<Text> split_space_right(const Text& text, int64_t limit);
std::vector<Text> split_lines(const Text& text, bool keep_ends, size_t limit);

// At most `limit` times, always if negative.
Result<Text> replace_all(Runtime& runtime, const Text& text, std::string_view old,
                         const Text& replacement, int64_t limit);
// To `width` code points, on the left, the right, or both sides (as str.center does).
Text pad(const Text& text, int64_t width, std::string_view fill, bool left, bool right);

}  // namespace lockstep::jinja
