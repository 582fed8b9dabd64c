// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/sentencepiece_breaks.h"

#include <algorithm>
#include <optional>

#include "core/base/utf8.h"

namespace lockstep {
namespace {

constexpr size_t least_part = 2048;  // bytes

uint64_t pair_of(char32_t left, char32_t right) {
    return static_cast<uint64_t>(left) << 32 | right;
}

// As the library writes it.
char32_t escaped(char32_t value) {
    return value == ' ' ? 0x2581 : value;
}

}  // namespace

SentencePieceBreaks::SentencePieceBreaks(const SentencePieceModel& model) {
    // Without byte_fallback a run of unknown characters is one token: cutting it makes two.
    possible_ = model.algorithm == SentencePieceModel::Algorithm::bpe && model.charsmap.empty() &&
                !model.remove_extra_whitespaces && model.escape_whitespaces &&
                !model.treat_whitespace_as_suffix && model.byte_fallback;
    if (!possible_) return;
    for (const SentencePieceModel::Piece& piece : model.pieces) {
        const std::string_view text = piece.text;
        CodePoint left = code_point_at(text, 0);
        for (size_t at = left.length; at < text.size(); at += left.length) {
            const CodePoint right = code_point_at(text, at);
            pairs_.insert(pair_of(escaped(left.value), escaped(right.value)));
            left = right;
        }
    }
}

std::vector<TextRange> SentencePieceBreaks::split(std::string_view text) const {
    std::vector<TextRange> parts;
    size_t begin = 0;
    size_t at = possible_ ? std::min(least_part, text.size()) : text.size();
    // The jump may have ended inside a character.
    while (at < text.size() && (static_cast<uint8_t>(text[at]) & 0xc0) == 0x80) ++at;
    // Where invalid bytes are cut makes no difference: the library takes them one by one.
    std::optional<char32_t> left;
    while (at < text.size()) {
        const CodePoint right = code_point_at(text, at);
        const char32_t value = escaped(right.value);
        if (left && at - begin >= least_part && !pairs_.contains(pair_of(*left, value))) {
            parts.push_back({begin, at});
            begin = at;
        }
        left = value;
        at += right.length;
    }
    parts.push_back({begin, text.size()});
    return parts;
}

}  // namespace lockstep
