// SPDX-License-Identifier: GPL-3.0-or-later
// What stands beside a tokenizer in a Hugging Face folder: tokenizer_config.json,
// special_tokens_map.json and added_tokens.json. All of them may be missing.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/text/added_tokens.h"

namespace lockstep {

struct HfTokenizerConfig {
    std::optional<std::string> bos_token, eos_token, unk_token;
    std::vector<std::string> other_special_tokens;  // pad, additional_special_tokens, ...
    std::vector<AddedToken> added;                  // added_tokens_decoder, added_tokens.json
    std::optional<bool> add_bos_token, add_eos_token;
    std::optional<bool>
        legacy;  // sentencepiece: a space in front of each part between control tokens
};

Result<HfTokenizerConfig> read_hf_tokenizer_config(const std::filesystem::path& folder);

// The flags and contents of an added token; its id is read elsewhere, as files differ in that.
Result<AddedToken> parse_added_token(const JsonObject& object);

}  // namespace lockstep
