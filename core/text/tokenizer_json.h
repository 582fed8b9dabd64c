// SPDX-License-Identifier: GPL-3.0-or-later
// tokenizer.json, Hugging Face's description of a tokenizer, as far as byte pair encoding goes.
#pragma once

#include <functional>

#include "core/base/json.h"
#include "core/text/bpe_tokenizer.h"

namespace lockstep {

// Each error names the field; what is not supported is named together with what is.
Result<BpeSpec> bpe_spec_from_json(const Json& root, const std::string& where);

// The sections of the file; null sections do nothing.
Result<Normalizer> parse_normalizer(const JsonObject& root);
Result<TokenDecoder> parse_decoder(const JsonObject& root);
struct ParsedPreTokenizer {
    PreTokenizer pre_tokenizer;
    bool byte_level = false;
};
Result<ParsedPreTokenizer> parse_pre_tokenizer(const JsonObject& root);

// "post_processor.processors[1]"
std::string nth(std::string where, size_t index);
// A pattern of the file: {"Regex": "..."} or {"String": "..."}.
Result<Regex> parse_pattern(const JsonObject& step);
// The error for a step of a section that we do not know.
tl::unexpected<Error> unknown_step(const JsonObject& step, std::string_view type,
                                   std::string_view supported);
// Reads a step of a section, given its type.
using StepReader = std::function<Status(const JsonObject&, const std::string&)>;
// Runs `read` on the step that a section is, or on each of a Sequence's; a section may be missing.
Status for_each_step(const JsonObject& root, std::string_view section,
                     std::string_view sequence_key, const StepReader& read);

}  // namespace lockstep
