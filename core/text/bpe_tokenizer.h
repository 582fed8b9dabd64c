// SPDX-License-Identifier: GPL-3.0-or-later
// Byte pair encoding as Hugging Face's tokenizers runs it: added tokens are cut out, the rest is
// normalised, cut into pieces and merged. Equal to it id for id; invalid UTF-8 is encoded as Python
// would have read it, bytes.decode("utf-8", errors="replace").
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/text/added_tokens.h"
#include "core/text/bpe_model.h"
#include "core/text/normalizer.h"
#include "core/text/pretokenizer.h"
#include "core/text/token_decoder.h"
#include "core/text/tokenizer.h"

namespace lockstep {

// All that a file says of such a tokenizer.
struct BpeSpec {
    std::vector<std::string> pieces;  // by id; empty where an id is not in use
    BpeVocabulary vocabulary;
    std::vector<AddedToken> added;
    Normalizer normalizer;
    PreTokenizer pre_tokenizer;
    TokenDecoder decoder;
    std::vector<int32_t> prefix, suffix;  // with add_special
    std::optional<int32_t> bos_token_id, eos_token_id;
};

Result<std::unique_ptr<const Tokenizer>> make_bpe_tokenizer(BpeSpec spec);
// tokenizer.ggml.model "gpt2".
Result<BpeSpec> bpe_spec_from(const Vocabulary& vocabulary);

}  // namespace lockstep
