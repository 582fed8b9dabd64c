// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/string_edit.h"

#include <algorithm>

#include "core/base/utf8.h"

namespace lockstep::jinja {
namespace {

// What is left of `text` where the code points that `drop` names are taken off its ends.
template <class Drop>
Text strip_ends(const Text& text, bool left, bool right, Drop drop) {
    const std::vector<size_t> offsets = code_point_offsets(text.bytes());
    size_t first = 0, last = offsets.size() - 1;
    const auto dropped = [&](size_t i) {
        return drop(text.bytes().substr(offsets[i], offsets[i + 1] - offsets[i]));
    };
    while (left && first < last && dropped(first)) ++first;
    while (right && last > first && dropped(last - 1)) --last;
    return text.slice(offsets[first], offsets[last]);
}

// [first, last) of every run of code points that are not whitespace.
std::vector<TextRange> words(std::string_view text) {
    std::vector<TextRange> found;
    bool inside = false;
    for (size_t at = 0; at < text.size();) {
        const CodePoint c = code_point_at(text, at);
        const bool space = is_space(c.value);
        if (!space && !inside) found.push_back({at, at});
        if (!space) found.back().last = at + c.length;
        inside = !space;
        at += c.length;
    }
    return found;
}

// Bytes of the line end at `at`, as str.splitlines() knows them; 0: none.
size_t line_end(std::string_view text, size_t at) {
    const CodePoint c = code_point_at(text, at);
    if (c.value == '\r') return at + 1 < text.size() && text[at + 1] == '\n' ? 2 : 1;
    const bool end = (c.value >= 0x0A && c.value <= 0x0C) || (c.value >= 0x1C && c.value <= 0x1E) ||
                     c.value == 0x85 || c.value == 0x2028 || c.value == 0x2029;
    return end ? c.length : 0;
}

}  // namespace

Text strip_space(const Text& text, bool left, bool right) {
    const TextRange range = stripped(text.bytes());
    const size_t first = left ? range.first : 0;
    return text.slice(first, std::max(first, right ? range.last : text.size()));
}

Text strip_characters(const Text& text, std::string_view characters, bool left, bool right) {
    return strip_ends(text, left, right, [characters](const std::string& character) {
        return characters.find(character) != std::string_view::npos;
    });
}

std::vector<Text> split_left(const Text& text, std::string_view separator, int64_t limit) {
    std::vector<Text> parts;
    size_t from = 0, at = 0;
    while (limit != 0 && (at = text.bytes().find(separator, from)) != std::string::npos) {
        parts.push_back(text.slice(from, at));
        from = at + separator.size();
        --limit;
    }
    parts.push_back(text.slice(from, text.size()));
    return parts;
}

std::vector<Text> split_right(const Text& text, std::string_view separator, int64_t limit) {
    std::vector<Text> parts;
    size_t end = text.size();
    while (limit != 0 && end >= separator.size()) {
        const size_t at = text.bytes().rfind(separator, end - separator.size());
        if (at == std::string::npos) break;
        parts.push_back(text.slice(at + separator.size(), end));
        end = at;
        --limit;
    }
    parts.push_back(text.slice(0, end));
    std::reverse(parts.begin(), parts.end());
    return parts;
}

std::vector<Text> split_space(const Text& text, int64_t limit) {
    std::vector<Text> parts;
    for (const TextRange& word : words(text.bytes())) {
        if (limit >= 0 && static_cast<int64_t>(parts.size()) == limit) {
            parts.push_back(text.slice(word.first, text.size()));
            break;
        }
        parts.push_back(text.slice(word.first, word.last));
    }
    return parts;
}

std::vector<Text> split_space_right(const Text& text, int64_t limit) {
    std::vector<TextRange> all = words(text.bytes());
    const size_t cuts = limit < 0 ? all.size() : static_cast<size_t>(limit);
    if (all.size() > cuts + 1 || (limit == 0 && !all.empty())) {
        const size_t kept = all.size() - cuts;  // these stay one part, from the very start
        const size_t last = all[kept - 1].last;
        all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept));
        all.insert(all.begin(), TextRange{0, last});
    }
    std::vector<Text> parts;
    parts.reserve(all.size());
    for (const TextRange& word : all) parts.push_back(text.slice(word.first, word.last));
    return parts;
}

std::vector<Text> split_lines(const Text& text, bool keep_ends, size_t limit) {
    std::vector<Text> lines;
    const std::string& bytes = text.bytes();
    size_t from = 0;
    for (size_t at = 0; at < bytes.size() && lines.size() < limit;) {
        const size_t end = line_end(bytes, at);
        if (end > 0) {
            lines.push_back(text.slice(from, at + (keep_ends ? end : 0)));
            from = at + end;
        }
        at += end > 0 ? end : code_point_at(bytes, at).length;
    }
    if (from < bytes.size()) lines.push_back(text.slice(from, bytes.size()));
    return lines;
}

Result<Text> replace_all(Runtime& runtime, const Text& text, std::string_view old,
                         const Text& replacement, int64_t limit) {
    Text out;
    size_t from = 0;
    const auto put = [&](size_t at, size_t resume) -> Status {
        out.append(text.slice(from, at));
        out.append(replacement);
        from = resume;
        return runtime.check_string(out.size());
    };
    if (old.empty()) {  // before every code point and at the end
        for (const size_t at : code_point_offsets(text.bytes()))
            if (limit-- != 0) LOCKSTEP_TRY(put(at, at));
    } else {
        size_t at = 0;
        while (limit-- != 0 && (at = text.bytes().find(old, from)) != std::string::npos)
            LOCKSTEP_TRY(put(at, at + old.size()));
    }
    out.append(text.slice(from, text.size()));
    return out;
}

Text pad(const Text& text, int64_t width, std::string_view fill, bool left, bool right) {
    const auto length = static_cast<int64_t>(code_point_count(text.bytes()));
    const int64_t total = std::max<int64_t>(width - length, 0);
    int64_t before = left ? total : 0;
    if (left && right) before = total / 2 + (total & width & 1);
    Text padded;
    for (int64_t i = 0; i < before; ++i) padded.append(fill);
    padded.append(text);
    for (int64_t i = before; i < (right ? total : before); ++i) padded.append(fill);
    return padded;
}

}  // namespace lockstep::jinja
