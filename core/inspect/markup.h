// SPDX-License-Identifier: GPL-3.0-or-later
// Text and numbers as a report writes them. Nothing that comes from a file or a person gets into a
// report but through here.
#pragma once

#include <string>
#include <string_view>

namespace lockstep {

// Fit for an element's text and for an attribute in double quotes: & < > " ' escaped, bytes that
// are not UTF-8 and control characters as U+FFFD (newline and tab stay).
std::string escape_html(std::string_view text);
// Fit for a cell of a Markdown table: one line, as text and nothing else.
std::string escape_markdown(std::string_view text);

// "0.41", "3.9e-05", "0", "not finite"
std::string short_figure(double value);
// A share of 1 as "99.98%", never rounded up to 100% or down to 0%.
std::string percent(double share);

}  // namespace lockstep
