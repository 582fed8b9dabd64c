// SPDX-License-Identifier: GPL-3.0-or-later
// A tokenizer by the sentencepiece library. Equal to its Python package given the same bytes:
// invalid UTF-8 is U+FFFD, one for each byte. Control tokens are cut out of the text before the
// library sees it; each part between them is a text of its own, with a space in front where the
// model wants one.
#pragma once

#include <memory>
#include <vector>

#include "core/text/added_tokens.h"
#include "core/text/sentencepiece_model.h"
#include "core/text/tokenizer.h"

namespace lockstep {

struct SentencePieceSpec {
    SentencePieceModel model;
    std::vector<AddedToken> added;     // beside the model's own; ids beyond its pieces
    bool prefix_after_control = true;  // else only a text's beginning gets a space in front
    std::optional<int32_t> bos_token_id, eos_token_id;
    bool add_bos_token = false, add_eos_token = false;
};

Result<std::unique_ptr<const Tokenizer>> make_sentencepiece_tokenizer(SentencePieceSpec spec);

}  // namespace lockstep
