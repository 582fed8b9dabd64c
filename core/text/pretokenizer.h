// SPDX-License-Identifier: GPL-3.0-or-later
// Cuts a text into the pieces that merges never cross (tokenizer.json's "pre_tokenizer").
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/text/regex.h"
#include "core/text/text_range.h"
#include "kernels/status.h"

namespace lockstep {

enum class SplitBehavior : uint8_t {
    isolated,
    removed,
    contiguous,
    merged_with_previous,
    merged_with_next
};

struct SplitStep {
    Regex regex;
    SplitBehavior behavior = SplitBehavior::isolated;
    bool invert = false;  // what does not match is what matches
};
struct PrefixSpaceStep {};  // ByteLevel's add_prefix_space: every piece begins with a space
struct MetaspaceStep {      // spaces become `replacement`
    enum class Prepend : uint8_t { always, first, never };
    std::string replacement = "\xe2\x96\x81";  // U+2581
    Prepend prepend = Prepend::always;
    bool split = true;
};
using PreTokenizerStep = std::variant<SplitStep, PrefixSpaceStep, MetaspaceStep>;

// A text and its pieces, in order; bytes outside all of them are dropped.
struct PieceList {
    std::string text;
    std::vector<TextRange> pieces;  // none is empty
    bool begins_input = true;       // the text is the beginning of what was given to encode
};

class PreTokenizer {
  public:
    PreTokenizer() = default;  // one piece
    explicit PreTokenizer(std::vector<PreTokenizerStep> steps) : steps_(std::move(steps)) {}
    // `text` is valid UTF-8.
    PieceList split(std::string text, bool begins_input) const;

  private:
    std::vector<PreTokenizerStep> steps_;
};

// What GGUF's tokenizer.ggml.pre stands for: more than the pre-tokenizer alone.
struct NamedPreTokenizer {
    PreTokenizer pre_tokenizer;
    bool nfc = false;            // the text is put into NFC first
    bool ignore_merges = false;  // see BpeVocabulary
    bool add_bos_token = false;  // where the file does not say
};
// Empty means "gpt-2". The error names what is known.
Result<NamedPreTokenizer> named_pre_tokenizer(std::string_view pre);

// Steps that tokenizer.json and the names share.
Result<PreTokenizerStep> gpt2_split();  // ByteLevel with use_regex
Result<PreTokenizerStep> digits_split(bool individual);

}  // namespace lockstep
