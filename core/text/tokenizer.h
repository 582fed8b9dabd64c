// SPDX-License-Identifier: GPL-3.0-or-later
// Text to ids and back. Two kinds: byte-level BPE (our own) and sentencepiece (the library).
// Both give exactly what Python's tokenizers / sentencepiece packages give.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/text_range.h"
#include "core/text/vocabulary.h"
#include "kernels/status.h"

namespace lockstep {

struct EncodeOptions {
    // Where control tokens written out in the text ("<|im_end|>") become those tokens. Elsewhere
    // they are plain text: what somebody typed never turns into control.
    enum class Control : uint8_t { nowhere, everywhere, outside_input };
    Control control = Control::nowhere;
    // For outside_input: the parts of the text that come from a person or a tool, in order.
    std::span<const TextRange> input = {};
    // Adds BOS/EOS as the model's own settings say (add_bos_token and so on).
    bool add_special = false;
};

class Tokenizer {
  public:
    virtual ~Tokenizer() = default;

    // Any bytes: invalid UTF-8 is encoded as the reference implementation does it.
    virtual std::vector<int32_t> encode(std::string_view text,
                                        const EncodeOptions& options) const = 0;

    // The bytes that a token adds to a text. Control tokens give "" unless `show_control`. Tokens
    // of a sequence may end inside a code point: join the bytes first (see Utf8Stream).
    virtual std::string token_bytes(int32_t id, bool show_control = false) const = 0;
    // The bytes of a whole sequence, as the reference implementation's decode gives it (a
    // sentencepiece tokenizer drops the space prefix of the first token).
    virtual std::string decode(std::span<const int32_t> ids, bool show_control = false) const = 0;
    // As the vocabulary spells it: "Ġhello", "▁hello", "<0x0A>".
    virtual std::string_view piece(int32_t id) const = 0;

    virtual int32_t vocab_size() const = 0;  // ids are [0, vocab_size)
    virtual bool is_control(int32_t id) const = 0;
    virtual std::optional<int32_t> token_id(std::string_view piece) const = 0;
    virtual std::optional<int32_t> bos_token_id() const = 0;
    virtual std::optional<int32_t> eos_token_id() const = 0;
    virtual std::string_view kind() const = 0;  // "byte-level BPE", "sentencepiece"
};

// From a GGUF's vocabulary.
Result<std::unique_ptr<const Tokenizer>> make_tokenizer(const Vocabulary& vocabulary);
// From a Hugging Face folder: tokenizer.json (+ tokenizer_config.json, special_tokens_map.json,
// added_tokens.json), else tokenizer.model.
Result<std::unique_ptr<const Tokenizer>> load_tokenizer(const std::filesystem::path& folder);

}  // namespace lockstep
