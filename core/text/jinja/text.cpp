// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/text.h"

#include <algorithm>

#include "core/base/utf8.h"

namespace lockstep::jinja {

Text Text::from_input(std::string bytes) {
    return derived(std::move(bytes), true);
}

Text Text::derived(std::string bytes, bool from_input) {
    Text text(std::move(bytes));
    if (from_input) text.add_input({0, text.size()});
    return text;
}

void Text::append(const Text& text) {
    const size_t offset = size();
    bytes_ += text.bytes_;
    for (const TextRange& range : text.input_)
        add_input({range.first + offset, range.last + offset});
}

Text Text::slice(size_t first, size_t last) const {
    Text part(bytes_.substr(first, last - first));
    for (const TextRange& range : input_) {
        const size_t from = std::max(range.first, first);
        const size_t to = std::min(range.last, last);
        if (from < to) part.add_input({from - first, to - first});
    }
    return part;
}

void Text::add_input(TextRange range) {
    if (range.first == range.last) return;
    if (!input_.empty() && input_.back().last == range.first)
        input_.back().last = range.last;
    else
        input_.push_back(range);
}

std::string quoted(std::string_view name) {
    return std::string("'").append(name).append("'");
}

bool is_space(char32_t value) {
    if (value <= 0x20) return value == 0x20 || (value >= 0x09 && value <= 0x0D) || value >= 0x1C;
    if (value < 0x1680) return value == 0x85 || value == 0xA0;
    return value == 0x1680 || (value >= 0x2000 && value <= 0x200A) || value == 0x2028 ||
           value == 0x2029 || value == 0x202F || value == 0x205F || value == 0x3000;
}

size_t leading_space(std::string_view text) {
    size_t at = 0;
    while (at < text.size()) {
        const CodePoint c = code_point_at(text, at);
        if (!is_space(c.value)) break;
        at += c.length;
    }
    return at;
}

TextRange stripped(std::string_view text) {
    TextRange range{text.size(), 0};
    bool found = false;
    for (size_t at = 0; at < text.size();) {
        const CodePoint c = code_point_at(text, at);
        if (!is_space(c.value)) {
            if (!found) range.first = at;
            found = true;
            range.last = at + c.length;
        }
        at += c.length;
    }
    return range;
}

std::vector<size_t> code_point_offsets(std::string_view text) {
    std::vector<size_t> offsets;
    offsets.reserve(text.size() + 1);
    for (size_t at = 0; at < text.size(); at += code_point_at(text, at).length)
        offsets.push_back(at);
    offsets.push_back(text.size());
    return offsets;
}

size_t code_point_count(std::string_view text) {
    size_t count = 0;
    for (size_t at = 0; at < text.size(); at += code_point_at(text, at).length) ++count;
    return count;
}

}  // namespace lockstep::jinja
