// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/added_tokens.h"

#include <algorithm>

#include "core/base/utf8.h"
#include "core/text/regex.h"

namespace lockstep {
namespace {

// \w and \s as Rust's regex crate has them. Only tokens with single_word, lstrip or rstrip ask.
constexpr std::string_view word_pattern =
    R"((?![\x{b2}\x{b3}\x{b9}\x{bc}-\x{be}])[\w\x{200c}\x{200d}])";
constexpr std::string_view space_pattern = R"(\s)";

bool is_one(const Result<Regex>& regex, std::string_view character) {
    return regex && is_valid_utf8(character) && Regex::Search(*regex, character).next().has_value();
}

bool is_word(std::string_view character) {
    static const Result<Regex> regex = Regex::compile(word_pattern);
    return is_one(regex, character);
}

bool is_space(std::string_view character) {
    static const Result<Regex> regex = Regex::compile(space_pattern);
    return is_one(regex, character);
}

// The character that ends at text[end - 1], and the one that begins at text[at].
std::string_view character_before(std::string_view text, size_t end) {
    size_t first = end - 1;
    while (first > 0 && (static_cast<uint8_t>(text[first]) & 0xc0) == 0x80) --first;
    return text.substr(first, end - first);
}
std::string_view character_at(std::string_view text, size_t at) {
    return text.substr(at, code_point_at(text, at).length);
}

bool stands_alone(std::string_view text, TextRange range) {
    if (range.first > 0 && is_word(character_before(text, range.first))) return false;
    return range.last == text.size() || !is_word(character_at(text, range.last));
}

TextRange with_spaces(std::string_view text, TextRange range, const AddedToken& token,
                      size_t done) {
    while (token.lstrip && range.first > done) {
        const std::string_view before = character_before(text, range.first);
        if (!is_space(before)) break;
        range.first -= before.size();
    }
    while (token.rstrip && range.last < text.size()) {
        const std::string_view behind = character_at(text, range.last);
        if (!is_space(behind)) break;
        range.last += behind.size();
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
    const auto before = [](const AddedToken& a, const AddedToken& b) {
        return a.content < b.content;
    };
    const auto same = [](const AddedToken& a, const AddedToken& b) {
        return a.content == b.content;
    };
    std::stable_sort(tokens_.begin(), tokens_.end(), before);
    tokens_.erase(std::unique(tokens_.begin(), tokens_.end(), same), tokens_.end());
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
        const auto next = static_cast<uint8_t>(text[at + length]);
        const auto byte_of = [length](const AddedToken& token) {
            return static_cast<uint8_t>(token.content[length]);
        };
        first = std::partition_point(
            first, last, [&](const AddedToken& token) { return byte_of(token) < next; });
        last = std::partition_point(
            first, last, [&](const AddedToken& token) { return byte_of(token) == next; });
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
