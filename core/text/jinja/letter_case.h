// SPDX-License-Identifier: GPL-3.0-or-later
// Python's str.upper, lower, title and capitalize; a letter's new form keeps its origin.
#pragma once

#include "core/text/jinja/text.h"

namespace lockstep::jinja {

Text upper(const Text& text);
Text lower(const Text& text);
Text capitalize(const Text& text);
Text title(const Text& text);
// For comparisons that ignore case.
std::string case_folded(std::string_view text);

}  // namespace lockstep::jinja
