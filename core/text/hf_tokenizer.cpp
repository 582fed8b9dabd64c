// SPDX-License-Identifier: GPL-3.0-or-later
// A tokenizer from a Hugging Face folder.
#include <algorithm>

#include "core/base/mapped_file.h"
#include "core/text/hf_tokenizer_config.h"
#include "core/text/sentencepiece_tokenizer.h"
#include "core/text/tokenizer_json.h"

namespace lockstep {
namespace {

using Path = std::filesystem::path;

AddedToken* find_added(BpeSpec& spec, std::string_view content) {
    const auto same = [content](const AddedToken& token) { return token.content == content; };
    const auto found = std::find_if(spec.added.begin(), spec.added.end(), same);
    return found == spec.added.end() ? nullptr : &*found;
}

std::optional<int32_t> find_piece(const BpeSpec& spec, std::string_view piece) {
    const auto found = std::find(spec.pieces.begin(), spec.pieces.end(), piece);
    if (piece.empty() || found == spec.pieces.end()) return std::nullopt;
    return static_cast<int32_t>(found - spec.pieces.begin());
}

// tokenizer_config.json's word on a token goes before tokenizer.json's.
Status merge_added(const HfTokenizerConfig& config, const std::string& where, BpeSpec& spec) {
    for (const AddedToken& token : config.added) {
        if (AddedToken* known = find_added(spec, token.content)) {
            const int32_t id = known->id;
            *known = token;
            known->id = id;
            continue;
        }
        const auto index = static_cast<size_t>(token.id);
        const bool fits = index < spec.pieces.size() && spec.pieces[index] == token.content;
        if (!fits && index != spec.pieces.size())
            return fail(ErrorKind::invalid_file, where + ": added token \"" + token.content +
                                                     "\" has the id " + std::to_string(token.id) +
                                                     ", which tokenizer.json does not give it");
        if (!fits) spec.pieces.push_back(token.content);
        spec.added.push_back(token);
    }
    return {};
}

std::optional<int32_t> add_named(const std::optional<std::string>& name, BpeSpec& spec) {
    if (!name) return std::nullopt;
    if (AddedToken* known = find_added(spec, *name)) {
        known->special = true;
        return known->id;
    }
    const auto id = find_piece(spec, *name);
    if (id) {
        AddedToken token;
        token.id = *id;
        token.content = *name;
        token.special = true;
        spec.added.push_back(std::move(token));
    }
    return id;
}

void add_ends(const HfTokenizerConfig& config, bool has_post_processor, BpeSpec& spec) {
    spec.bos_token_id = add_named(config.bos_token, spec);
    spec.eos_token_id = add_named(config.eos_token, spec);
    for (const std::string& name : config.other_special_tokens)
        if (AddedToken* known = find_added(spec, name)) known->special = true;
    // A post-processor already says what is added; without one the settings do.
    if (has_post_processor) return;
    if (config.add_bos_token.value_or(false) && spec.bos_token_id)
        spec.prefix = {*spec.bos_token_id};
    if (config.add_eos_token.value_or(false) && spec.eos_token_id)
        spec.suffix = {*spec.eos_token_id};
}

Result<std::unique_ptr<const Tokenizer>> make_from_json(const Path& folder, const Json& root) {
    const std::string path = (folder / "tokenizer.json").string();
    LOCKSTEP_ASSIGN(const HfTokenizerConfig config, read_hf_tokenizer_config(folder));
    LOCKSTEP_ASSIGN(BpeSpec spec, bpe_spec_from_json(root, path));
    LOCKSTEP_TRY(merge_added(config, (folder / "tokenizer_config.json").string(), spec));
    const auto post_processor = root.find("post_processor");
    add_ends(config, post_processor != root.end() && !post_processor->is_null(), spec);
    auto tokenizer = make_bpe_tokenizer(std::move(spec));
    if (!tokenizer) return within(path, tokenizer.error());
    return tokenizer;
}

std::optional<int32_t> find_piece(const SentencePieceModel& model, const std::string& text) {
    for (size_t i = 0; i < model.pieces.size(); ++i)
        if (model.pieces[i].text == text) return static_cast<int32_t>(i);
    return std::nullopt;
}

Result<std::unique_ptr<const Tokenizer>> load_sentencepiece(const Path& folder) {
    const Path path = folder / "tokenizer.model";
    LOCKSTEP_ASSIGN(const HfTokenizerConfig config, read_hf_tokenizer_config(folder));
    LOCKSTEP_ASSIGN(const MappedFile file, MappedFile::open(path));
    auto model = parse_sentencepiece_model(file.text());
    if (!model) return within(path.string(), model.error());
    SentencePieceSpec spec;
    spec.bos_token_id = find_piece(*model, config.bos_token.value_or(model->bos_piece));
    spec.eos_token_id = find_piece(*model, config.eos_token.value_or(model->eos_piece));
    for (const AddedToken& token : config.added) {
        if (token.content == config.bos_token) spec.bos_token_id = token.id;
        if (token.content == config.eos_token) spec.eos_token_id = token.id;
    }
    spec.model = std::move(*model);
    spec.added = config.added;
    spec.prefix_after_control = config.legacy.value_or(true);
    // What transformers' LlamaTokenizer does where the settings say nothing.
    spec.add_bos_token = config.add_bos_token.value_or(true);
    spec.add_eos_token = config.add_eos_token.value_or(false);
    auto tokenizer = make_sentencepiece_tokenizer(std::move(spec));
    if (!tokenizer) return within(path.string(), tokenizer.error());
    return tokenizer;
}

// A tokenizer.json that only sentencepiece can run, beside the model it was made from.
bool is_unigram(const Json& root) {
    const auto model = root.is_object() ? root.find("model") : root.end();
    return root.is_object() && model != root.end() && model->is_object() &&
           model->value("type", Json()) == "Unigram";
}

}  // namespace

Result<std::unique_ptr<const Tokenizer>> load_tokenizer(const Path& folder) {
    const bool has_model = file_exists(folder / "tokenizer.model");
    if (file_exists(folder / "tokenizer.json")) {
        LOCKSTEP_ASSIGN(const Json root, read_json_file(folder / "tokenizer.json"));
        if (!has_model || !is_unigram(root)) return make_from_json(folder, root);
    }
    if (has_model) return load_sentencepiece(folder);
    return fail(ErrorKind::invalid_file,
                folder.string() + ": neither tokenizer.json nor tokenizer.model is there");
}

}  // namespace lockstep
