// SPDX-License-Identifier: GPL-3.0-or-later
// Tokens that are found in a text before it is cut into pieces and merged: a model's control tokens
// and what was added to its vocabulary. Found as Hugging Face's tokenizers finds them: leftmost,
// then longest.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/text_range.h"

namespace lockstep {

struct AddedToken {
    int32_t id = 0;
    std::string content;
    bool special = false;      // a control token
    bool normalized = false;   // sought in the normalised text
    bool single_word = false;  // only where no word goes on beside it
    bool lstrip = false;       // takes the white space before it along
    bool rstrip = false;       // and behind it
};

// A part of a text: a token found in it, or (id < 0) text to be encoded.
struct Segment {
    int32_t id = -1;
    TextRange range;
};

class AddedTokens {
  public:
    AddedTokens() = default;
    // Tokens with empty contents are never found.
    explicit AddedTokens(std::vector<AddedToken> tokens);

    // Where control tokens may be found in a text.
    struct Control {
        bool allowed = true;
        std::span<const TextRange> closed;  // not there, in order; nor across their borders
    };
    // Segments in order, none empty; `text` is valid UTF-8.
    std::vector<Segment> split(std::string_view text, const Control& control) const;

  private:
    struct Match {
        const AddedToken* token = nullptr;
        TextRange range;
    };
    Match match_at(std::string_view text, size_t at, const Control& control) const;

    std::vector<AddedToken> tokens_;         // sorted by their contents, bytewise
    std::array<TextRange, 256> starting_{};  // those that begin with a byte, as indices
};

}  // namespace lockstep
