// SPDX-License-Identifier: GPL-3.0-or-later
// tokenizer.ggml.model "gpt2": byte-level BPE as GGUF stores it.
#include "core/text/bpe_tokenizer.h"

namespace lockstep {
namespace {

// What a type makes of a token in texts: nothing, an added token, a control token.
std::optional<AddedToken> added_token(const Vocabulary& vocabulary, int32_t id) {
    const auto index = static_cast<size_t>(id);
    const bool ends = id == vocabulary.bos_token_id || id == vocabulary.eos_token_id;
    if (vocabulary.types.empty() && !ends) return std::nullopt;
    const TokenType type = vocabulary.types.empty() ? TokenType::control : vocabulary.types[index];
    if (type != TokenType::control && type != TokenType::user_defined) return std::nullopt;
    AddedToken token;
    token.id = id;
    token.content = vocabulary.tokens[index];
    // What ends an answer is control, even where a converter called it an ordinary added token.
    token.special = type == TokenType::control || ends;
    return token;
}

Result<std::pair<std::string, std::string>> parse_merge(const std::string& merge, size_t rank) {
    // Neither half is empty; a space can only stand between them (or be the left one).
    const size_t space = merge.find(' ', 1);
    if (space == std::string::npos || space + 1 == merge.size())
        return fail(ErrorKind::invalid_file, "tokenizer.ggml.merges[" + std::to_string(rank) +
                                                 "] \"" + merge.substr(0, 100) +
                                                 "\" is not \"left right\"");
    return std::pair(merge.substr(0, space), merge.substr(space + 1));
}

Status add_ends(const Vocabulary& vocabulary, bool add_bos_token, BpeSpec& spec) {
    if (vocabulary.add_bos_token.value_or(add_bos_token && vocabulary.bos_token_id)) {
        if (!vocabulary.bos_token_id)
            return fail(ErrorKind::invalid_file,
                        "tokenizer.ggml.add_bos_token is set, but bos_token_id is missing");
        spec.prefix = {*vocabulary.bos_token_id};
    }
    if (vocabulary.add_eos_token.value_or(false)) {
        if (!vocabulary.eos_token_id)
            return fail(ErrorKind::invalid_file,
                        "tokenizer.ggml.add_eos_token is set, but eos_token_id is missing");
        spec.suffix = {*vocabulary.eos_token_id};
    }
    return {};
}

}  // namespace

Result<BpeSpec> bpe_spec_from(const Vocabulary& vocabulary) {
    BpeSpec spec;
    LOCKSTEP_ASSIGN(NamedPreTokenizer named, named_pre_tokenizer(vocabulary.pre));
    spec.pre_tokenizer = std::move(named.pre_tokenizer);
    if (named.nfc) spec.normalizer = Normalizer({UnicodeFormStep{}});
    spec.decoder = TokenDecoder({ByteLevelDecodeStep{}});
    spec.vocabulary.ignore_merges = named.ignore_merges;
    spec.pieces = vocabulary.tokens;
    spec.bos_token_id = vocabulary.bos_token_id;
    spec.eos_token_id = vocabulary.eos_token_id;
    for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
        const auto id = static_cast<int32_t>(i);
        // Converters fill up with unused ones.
        const bool unused = !vocabulary.types.empty() && vocabulary.types[i] == TokenType::unused;
        if (!unused) spec.vocabulary.tokens.emplace_back(vocabulary.tokens[i], id);
        if (auto added = added_token(vocabulary, id)) spec.added.push_back(std::move(*added));
    }
    spec.vocabulary.merges.reserve(vocabulary.merges.size());
    for (size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
        LOCKSTEP_ASSIGN(auto merge, parse_merge(vocabulary.merges[rank], rank));
        spec.vocabulary.merges.push_back(std::move(merge));
    }
    LOCKSTEP_TRY(add_ends(vocabulary, named.add_bos_token, spec));
    return spec;
}

}  // namespace lockstep
