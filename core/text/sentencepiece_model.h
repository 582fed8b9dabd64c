// SPDX-License-Identifier: GPL-3.0-or-later
// A sentencepiece model as we let the library see it. The library (0.1.97) trusts its input and
// dies of models that are not what they should be, so a file is read by us, checked, and written
// anew; a GGUF's vocabulary takes the same way. Wire format and field numbers: sentencepiece's
// src/sentencepiece_model.proto.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/vocabulary.h"
#include "kernels/status.h"

namespace lockstep {

struct SentencePieceModel {
    enum class Algorithm : uint8_t { unigram = 1, bpe = 2, word = 3, character = 4 };
    struct Piece {
        std::string text;
        float score = 0;
        TokenType type = TokenType::normal;  // sentencepiece's own numbers are the same
    };

    std::vector<Piece> pieces;
    Algorithm algorithm = Algorithm::unigram;
    bool byte_fallback = false;
    bool treat_whitespace_as_suffix = false;
    std::string unk_piece = "<unk>", bos_piece = "<s>", eos_piece = "</s>";
    std::string unk_surface = " \xe2\x81\x87 ";  // what an unknown is decoded to
    // The normaliser: a double-array trie from character sequences to replacements, or empty.
    std::string charsmap;
    bool add_dummy_prefix = true;
    bool remove_extra_whitespaces = true;
    bool escape_whitespaces = true;
    std::string denormalizer_charsmap;
};

// A tokenizer.model. Errors name the field and what is wrong with it; check() is included.
Result<SentencePieceModel> parse_sentencepiece_model(std::string_view bytes);
// tokenizer.ggml.model "llama"; check() is included.
Result<SentencePieceModel> sentencepiece_model_from(const Vocabulary& vocabulary);

// All that the library takes for granted.
Status check(const SentencePieceModel& model);
// Of a charsmap: that no text can lead the library out of it.
Status check_charsmap(std::string_view charsmap);

std::string serialize(const SentencePieceModel& model);

}  // namespace lockstep
