// SPDX-License-Identifier: GPL-3.0-or-later
// tokenizer.ggml.model "llama": a sentencepiece BPE model, taken apart by the converter.
#include "core/text/sentencepiece_model.h"
#include "core/text/token_decoder.h"

namespace lockstep {
namespace {

TokenType guessed_type(const Vocabulary& vocabulary, int32_t id) {
    if (id == vocabulary.bos_token_id || id == vocabulary.eos_token_id) return TokenType::control;
    const std::string& token = vocabulary.tokens[static_cast<size_t>(id)];
    return byte_of_fallback(token) >= 0 ? TokenType::byte : TokenType::normal;
}

// Converters fill up with tokens of type unknown, but a model has one.
int32_t unknown_id(const Vocabulary& vocabulary) {
    if (vocabulary.unknown_token_id) return *vocabulary.unknown_token_id;
    for (size_t i = 0; i < vocabulary.types.size(); ++i)
        if (vocabulary.types[i] == TokenType::unknown) return static_cast<int32_t>(i);
    return 0;
}

}  // namespace

Result<SentencePieceModel> sentencepiece_model_from(const Vocabulary& vocabulary) {
    if (vocabulary.scores.empty())
        return fail(ErrorKind::invalid_file, "tokenizer.ggml.scores is missing");
    SentencePieceModel model;
    model.algorithm = SentencePieceModel::Algorithm::bpe;
    model.remove_extra_whitespaces = false;
    model.add_dummy_prefix = vocabulary.add_space_prefix.value_or(true);
    const int32_t unknown = unknown_id(vocabulary);
    for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
        const auto id = static_cast<int32_t>(i);
        TokenType type =
            vocabulary.types.empty() ? guessed_type(vocabulary, id) : vocabulary.types[i];
        if (type == TokenType::unknown) type = TokenType::unused;
        if (id == unknown) type = TokenType::unknown;
        // What ends an answer is control, even where a converter called it an ordinary added token.
        const bool ends = id == vocabulary.bos_token_id || id == vocabulary.eos_token_id;
        if (ends && type == TokenType::user_defined) type = TokenType::control;
        if (type == TokenType::byte) model.byte_fallback = true;
        model.pieces.push_back({vocabulary.tokens[i], vocabulary.scores[i], type});
    }
    const auto name = [&](std::optional<int32_t> id, std::string& piece) {
        if (id) piece = vocabulary.tokens[static_cast<size_t>(*id)];
    };
    name(unknown, model.unk_piece);
    name(vocabulary.bos_token_id, model.bos_piece);
    name(vocabulary.eos_token_id, model.eos_piece);
    LOCKSTEP_TRY(check(model));
    return model;
}

}  // namespace lockstep
