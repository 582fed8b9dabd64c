// SPDX-License-Identifier: GPL-3.0-or-later
// tokenizer.json, Hugging Face's description of a tokenizer, as far as byte pair encoding goes.
#pragma once

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
// Runs `read` on a section's steps: on the section itself, or on each of a Sequence.
template <class Read>
Status for_each_step(const JsonObject& root, std::string_view section,
                     std::string_view sequence_key, const Read& read) {
    if (!root.has(section)) return {};
    LOCKSTEP_ASSIGN(const JsonObject object, root.object(section));
    LOCKSTEP_ASSIGN(const std::string type, object.string("type"));
    if (type != "Sequence") return read(object, type);
    LOCKSTEP_ASSIGN(const Json* steps, object.array(sequence_key));
    for (size_t i = 0; i < steps->size(); ++i) {
        const std::string where = nth(object.where(sequence_key), i);
        LOCKSTEP_ASSIGN(const JsonObject step, JsonObject::of((*steps)[i], where));
        LOCKSTEP_ASSIGN(const std::string step_type, step.string("type"));
        LOCKSTEP_TRY(read(step, step_type));
    }
    return {};
}

}  // namespace lockstep
