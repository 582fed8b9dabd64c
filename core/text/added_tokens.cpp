// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/added_tokens.h"

#include <unicode/uchar.h>

#include <algorithm>

#include "core/text/utf8.h"

namespace lockstep {
namespace {

// \w and \s as Rust's regex crate has them.
bool is_word(char32_t value) {
    const auto point = static_cast<UChar32>(value);
    const uint32_t mark_digit_or_connector = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
    return u_hasBinaryProperty(point, UCHAR_ALPHABETIC) ||
           u_hasBinaryProperty(point, UCHAR_JOIN_CONTROL) ||
           (U_GET_GC_MASK(point) & mark_digit_or_connector) != 0;
}

bool is_space(char32_t value) {
    return u_hasBinaryProperty(static_cast<UChar32>(value), UCHAR_WHITE_SPACE);
}

// The code point that ends at text[end - 1].
CodePoint code_point_before(std::string_view text, size_t end) {
    size_t first = end - 1;
    while (first > 0 && (static_cast<uint8_t>(text[first]) & 0xc0) == 0x80) --first;
    return code_point_at(text, first);
}

bool stands_alone(std::string_view text, TextRange range) {
    if (range.first > 0 && is_word(code_point_before(text, range.first).value)) return false;
    return range.last == text.size() || !is_word(code_point_at(text, range.last).value);
}

TextRange with_spaces(std::string_view text, TextRange range, const AddedToken& token,
                      size_t done) {
    while (token.lstrip && range.first > done) {
        const CodePoint before = code_point_before(text, range.first);
        if (!is_space(before.value)) break;
        range.first -= before.length;
    }
    while (token.rstrip && range.last < text.size()) {
        const CodePoint behind = code_point_at(text, range.last);
        if (!is_space(behind.value)) break;
        range.last += behind.length;
    }
    return range;
}

enum class Place : uint8_t { open, closed, across };

// Where `range` lies to the closed parts of the text.
Place place_of(TextRange range, std::span<const TextRange> closed) {
    const auto behind = [&](const TextRange& part) { return part.last <= range.first; };
    const auto part = std::partition_point(closed.begin(), closed.end(), behind);
    if (part == closed.end() || part->first >= range.last) return Place::open;
    return part->first <= range.first && range.last <= part->last ? Place::closed : Place::across;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
    std::erase_if(tokens_, [](const AddedToken& token) { return token.content.empty(); });
    // char_traits compare bytes as unsigned. Of two with the same contents the first stands.
    const auto content = [](const AddedToken& token) -> const std::string& {
        return token.content;
    };
    std::ranges::stable_sort(tokens_, {}, content);
    const auto same = std::ranges::unique(tokens_, {}, content);
    tokens_.erase(same.begin(), same.end());
    for (size_t i = 0; i < tokens_.size(); ++i) {
        TextRange& range = starting_[static_cast<uint8_t>(tokens_[i].content.front())];
        range = {range.last == 0 ? i : range.first, i + 1};
    }
}

// The longest token that begins here. A control token that reaches across the border of a closed
// part gives way to a shorter one: typed text must neither make one nor swallow the template's.
AddedTokens::Match AddedTokens::match_at(std::string_view text, size_t at,
                                         const Control& control) const {
    const TextRange candidates = starting_[static_cast<uint8_t>(text[at])];
    auto first = tokens_.begin() + static_cast<std::ptrdiff_t>(candidates.first);
    auto last = tokens_.begin() + static_cast<std::ptrdiff_t>(candidates.last);
    Match longest;
    for (size_t length = 1; first != last; ++length) {
        // All of [first, last) begin with the same `length` bytes as the text; the shortest is
        // first.
        if (first->content.size() == length) {
            const TextRange range{at, at + length};
            const bool across = first->special && control.allowed &&
                                place_of(range, control.closed) == Place::across;
            if (!across) longest = {&*first, range};
            ++first;
        }
        if (at + length == text.size()) break;
        const char next = text[at + length];
        const auto bounds = std::ranges::equal_range(
            first, last, static_cast<uint8_t>(next), {}, [length](const AddedToken& token) {
                return static_cast<uint8_t>(token.content[length]);
            });
        first = bounds.begin();
        last = bounds.end();
    }
    return longest;
}

std::vector<Segment> AddedTokens::split(std::string_view text, const Control& control) const {
    std::vector<Segment> segments;
    size_t done = 0;
    for (size_t at = 0; at < text.size();) {
        const Match match = match_at(text, at, control);
        if (match.token == nullptr) {
            ++at;
            continue;
        }
        // A token that is not taken is stepped over whole, as the reference implementation does.
        at = match.range.last;
        const AddedToken& token = *match.token;
        const bool open = control.allowed && place_of(match.range, control.closed) == Place::open;
        if (token.special && !open) continue;
        if (token.single_word && !stands_alone(text, match.range)) continue;
        const TextRange range = with_spaces(text, match.range, token, done);
        if (done < range.first) segments.push_back({-1, {done, range.first}});
        segments.push_back({token.id, range});
        done = range.last;
    }
    if (done < text.size()) segments.push_back({-1, {done, text.size()}});
    return segments;
}

}  // namespace lockstep
