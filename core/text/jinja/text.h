// SPDX-License-Identifier: GPL-3.0-or-later
// A string that knows which of its bytes came from a message or a tool. Whatever a template does to
// a person's words, they stay input: they never become part of the template's own markup.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text/text_range.h"

namespace lockstep::jinja {

class Text {
  public:
    Text() = default;
    // The template's own words.
    explicit Text(std::string bytes) : bytes_(std::move(bytes)) {}
    static Text from_input(std::string bytes);
    // A string made of `sources` in a way that does not tell which byte came from where: input as a
    // whole where any of it was.
    static Text derived(std::string bytes, bool from_input);

    const std::string& bytes() const { return bytes_; }
    size_t size() const { return bytes_.size(); }
    bool empty() const { return bytes_.empty(); }
    bool has_input() const { return !input_.empty(); }
    // In order, disjoint, not empty, and no two of them touch.
    const std::vector<TextRange>& input() const { return input_; }

    void append(const Text& text);
    void append(std::string_view template_text) { bytes_ += template_text; }
    Text slice(size_t first, size_t last) const;  // of bytes [first, last)

  private:
    void add_input(TextRange range);

    std::string bytes_;
    std::vector<TextRange> input_;
};

std::string quoted(std::string_view name);  // 'name'
// Python's str.isspace for one code point.
bool is_space(char32_t value);
size_t leading_space(std::string_view text);  // in bytes
// Where str.lstrip()'s result begins, and where str.rstrip()'s ends: the size and 0, if all is
// space.
TextRange stripped(std::string_view text);
// Offsets of the code points of `text`, and its size.
std::vector<size_t> code_point_offsets(std::string_view text);
size_t code_point_count(std::string_view text);

}  // namespace lockstep::jinja
