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

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)), nodes_(1) {
    for (size_t index = 0; index < tokens_.size(); ++index) {
        uint32_t node = 0;
        const std::string& content = tokens_[index].content;
        if (content.empty()) continue;
        first_bytes_[static_cast<uint8_t>(content.front())] = true;
        for (const char character : content) {
            const auto byte = static_cast<uint8_t>(character);
            uint32_t next = child(node, byte);
            if (next == 0) {
                next = static_cast<uint32_t>(nodes_.size());
                nodes_[node].next.emplace_back(byte, next);
                nodes_.emplace_back();
            }
            node = next;
        }
        // Of two with the same contents the first stands.
        if (nodes_[node].token < 0) nodes_[node].token = static_cast<int32_t>(index);
    }
}

uint32_t AddedTokens::child(uint32_t node, uint8_t byte) const {
    for (const auto& [value, next] : nodes_[node].next)
        if (value == byte) return next;
    return 0;
}

// The longest token that begins here. A control token that reaches across the border of a closed
// part gives way to a shorter one: typed text must neither make one nor swallow the template's.
AddedTokens::Match AddedTokens::match_at(std::string_view text, size_t at,
                                         const Control& control) const {
    Match longest;
    uint32_t node = 0;
    for (size_t i = at; i < text.size(); ++i) {
        node = child(node, static_cast<uint8_t>(text[i]));
        if (node == 0) break;
        const int32_t token = nodes_[node].token;
        if (token < 0) continue;
        const TextRange range{at, i + 1};
        const bool special = tokens_[static_cast<size_t>(token)].special;
        if (special && control.allowed && place_of(range, control.closed) == Place::across)
            continue;
        longest = {token, range};
    }
    return longest;
}

std::vector<Segment> AddedTokens::split(std::string_view text, const Control& control) const {
    std::vector<Segment> segments;
    size_t done = 0;
    for (size_t at = 0; at < text.size();) {
        if (!first_bytes_[static_cast<uint8_t>(text[at])]) {
            ++at;
            continue;
        }
        const Match match = match_at(text, at, control);
        if (match.token < 0) {
            ++at;
            continue;
        }
        // A token that is not taken is stepped over whole, as the reference implementation does.
        at = match.range.last;
        const AddedToken& token = tokens_[static_cast<size_t>(match.token)];
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
