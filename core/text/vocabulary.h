// SPDX-License-Identifier: GPL-3.0-or-later
// A vocabulary as files give it, before it becomes a tokenizer: the GGUF reader fills one from
// tokenizer.ggml.*, and the tokenizers are made from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

enum class TokenType : uint8_t {  // GGUF's tokenizer.ggml.token_type
    normal = 1,
    unknown = 2,
    control = 3,
    user_defined = 4,
    unused = 5,
    byte = 6
};

struct Vocabulary {
    std::string model;  // tokenizer.ggml.model: "gpt2" (byte-level BPE) or "llama" (sentencepiece)
    std::string pre;    // tokenizer.ggml.pre: "smollm", "qwen2", "llama-bpe", "gpt-2", ...
    std::vector<std::string> tokens;
    std::vector<float> scores;        // sentencepiece only; else empty
    std::vector<TokenType> types;     // as long as tokens, or empty
    std::vector<std::string> merges;  // byte-level BPE only: "left right"
    std::optional<int32_t> bos_token_id, eos_token_id, unknown_token_id, padding_token_id;
    std::optional<bool> add_bos_token, add_eos_token, add_space_prefix;
};

}  // namespace lockstep
