// SPDX-License-Identifier: GPL-3.0-or-later
// From a vocabulary's spelling of tokens back to text (tokenizer.json's "decoder").
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/text/regex.h"

namespace lockstep {

struct ByteLevelDecodeStep {};  // GPT-2's alphabet to bytes, invalid UTF-8 to U+FFFD
struct ByteFallbackStep {};     // <0x41> to its byte; a run of bytes that is not UTF-8 to U+FFFDs
struct FuseStep {};             // all tokens become one
struct ReplaceDecodeStep {
    Regex pattern;
    std::string content;
};
struct StripStep {  // up to so many of a character at the ends of each token
    std::string character;
    size_t start = 0, stop = 0;
};
struct MetaspaceDecodeStep {
    std::string replacement;
    bool drop_first = true;  // the first token's are left out, they were put there by encode
};
using DecodeStep = std::variant<ByteLevelDecodeStep, ByteFallbackStep, FuseStep, ReplaceDecodeStep,
                                StripStep, MetaspaceDecodeStep>;

class TokenDecoder {
  public:
    TokenDecoder() = default;  // joins tokens with spaces
    explicit TokenDecoder(std::vector<DecodeStep> steps) : steps_(std::move(steps)) {}

    // A whole sequence: always valid UTF-8 if the tokens are.
    std::string decode(std::vector<std::string> tokens) const;
    // One token's bytes, with nothing known of its neighbours: not always valid UTF-8, and nothing
    // is stripped.
    std::string token_bytes(std::string_view token) const;

  private:
    std::vector<DecodeStep> steps_;
};

// 0..255 for "<0x00>".."<0xFF>", else -1.
int byte_of_fallback(std::string_view token);

}  // namespace lockstep
