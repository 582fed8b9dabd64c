// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/tokenizer.h"

#include <algorithm>

#include "core/base/utf8.h"
#include "core/text/bpe_tokenizer.h"
#include "core/text/sentencepiece_tokenizer.h"

namespace lockstep {
namespace {

constexpr size_t max_tokens = size_t{1} << 24;  // the largest vocabularies have 2^18

Status check_id(const Vocabulary& vocabulary, std::string_view name, std::optional<int32_t> id) {
    if (!id || (*id >= 0 && static_cast<size_t>(*id) < vocabulary.tokens.size())) return {};
    return fail(ErrorKind::invalid_file, "tokenizer.ggml." + std::string(name) + " " +
                                             std::to_string(*id) + " is not a token: there are " +
                                             std::to_string(vocabulary.tokens.size()));
}

Status check_length(std::string_view name, size_t length, size_t tokens) {
    if (length == 0 || length == tokens) return {};
    return fail(ErrorKind::invalid_file, "tokenizer.ggml." + std::string(name) + " has " +
                                             std::to_string(length) + " values for " +
                                             std::to_string(tokens) + " tokens");
}

Status check(const Vocabulary& vocabulary) {
    const auto& tokens = vocabulary.tokens;
    if (tokens.empty()) return fail(ErrorKind::invalid_file, "tokenizer.ggml.tokens is empty");
    if (tokens.size() > max_tokens)
        return fail(ErrorKind::invalid_file,
                    "tokenizer.ggml.tokens has " + std::to_string(tokens.size()) + " tokens");
    const auto wrong = std::find_if_not(tokens.begin(), tokens.end(), is_valid_utf8);
    if (wrong != tokens.end())
        return fail(
            ErrorKind::invalid_file,
            "tokenizer.ggml.tokens[" + std::to_string(wrong - tokens.begin()) + "] is not UTF-8");
    LOCKSTEP_TRY(check_length("scores", vocabulary.scores.size(), tokens.size()));
    LOCKSTEP_TRY(check_length("token_type", vocabulary.types.size(), tokens.size()));
    LOCKSTEP_TRY(check_id(vocabulary, "bos_token_id", vocabulary.bos_token_id));
    LOCKSTEP_TRY(check_id(vocabulary, "eos_token_id", vocabulary.eos_token_id));
    LOCKSTEP_TRY(check_id(vocabulary, "unknown_token_id", vocabulary.unknown_token_id));
    return check_id(vocabulary, "padding_token_id", vocabulary.padding_token_id);
}

}  // namespace

Result<std::unique_ptr<const Tokenizer>> make_tokenizer(const Vocabulary& vocabulary) {
    LOCKSTEP_TRY(check(vocabulary));
    if (vocabulary.model == "gpt2") {
        LOCKSTEP_ASSIGN(BpeSpec spec, bpe_spec_from(vocabulary));
        return make_bpe_tokenizer(std::move(spec));
    }
    if (vocabulary.model == "llama") {
        SentencePieceSpec spec;
        LOCKSTEP_ASSIGN(spec.model, sentencepiece_model_from(vocabulary));
        spec.bos_token_id = vocabulary.bos_token_id;
        spec.eos_token_id = vocabulary.eos_token_id;
        spec.add_bos_token = vocabulary.add_bos_token.value_or(true);
        spec.add_eos_token = vocabulary.add_eos_token.value_or(false);
        return make_sentencepiece_tokenizer(std::move(spec));
    }
    return fail(ErrorKind::unsupported, "tokenizer.ggml.model \"" + vocabulary.model +
                                            "\" is not supported; \"gpt2\" (byte-level BPE) and "
                                            "\"llama\" (sentencepiece) are");
}

}  // namespace lockstep
