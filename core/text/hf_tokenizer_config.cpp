// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/hf_tokenizer_config.h"

#include <algorithm>
#include <charconv>

#include "core/base/mapped_file.h"

namespace lockstep {
namespace {

// An added token's contents are compared at every byte of a text.
constexpr size_t max_added_bytes = 1024;
constexpr int32_t max_added_id = 1 << 24;

// "<s>" or {"content": "<s>", ...}.
Result<std::optional<std::string>> token_name(const JsonObject& config, std::string_view key) {
    const Json* value = config.find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_string()) return value->get<std::string>();
    LOCKSTEP_ASSIGN(const JsonObject object, config.object(key));
    LOCKSTEP_ASSIGN(std::string content, object.string("content"));
    return content;
}

Status read_names(const JsonObject& config, HfTokenizerConfig& result) {
    const auto keep = [&](std::string_view key, std::optional<std::string>& name) -> Status {
        LOCKSTEP_ASSIGN(auto found, token_name(config, key));
        if (found && !name) name = std::move(found);
        return {};
    };
    LOCKSTEP_TRY(keep("bos_token", result.bos_token));
    LOCKSTEP_TRY(keep("eos_token", result.eos_token));
    LOCKSTEP_TRY(keep("unk_token", result.unk_token));
    for (const char* key : {"pad_token", "cls_token", "sep_token", "mask_token"}) {
        std::optional<std::string> name;
        LOCKSTEP_TRY(keep(key, name));
        if (name) result.other_special_tokens.push_back(std::move(*name));
    }
    const Json* additional = config.find("additional_special_tokens");
    if (additional == nullptr || !additional->is_array()) return {};
    for (const Json& token : *additional) {
        const Json& content = token.is_object() ? token.value("content", Json()) : token;
        if (!content.is_string())
            return config.error("additional_special_tokens", "holds something that is no token");
        result.other_special_tokens.push_back(content.get<std::string>());
    }
    return {};
}

// {"32000": {"content": "<|end|>", ...}, ...}
Status read_added_decoder(const JsonObject& config, HfTokenizerConfig& result) {
    if (!config.has("added_tokens_decoder")) return {};
    LOCKSTEP_ASSIGN(const JsonObject tokens, config.object("added_tokens_decoder"));
    for (const auto& [key, value] : tokens.json().items()) {
        LOCKSTEP_ASSIGN(const JsonObject object, JsonObject::of(value, tokens.where(key)));
        LOCKSTEP_ASSIGN(AddedToken token, parse_added_token(object));
        const char* end = key.data() + key.size();
        const auto [stop, error] = std::from_chars(key.data(), end, token.id);
        if (error != std::errc() || stop != end || token.id < 0 || token.id > max_added_id)
            return config.error("added_tokens_decoder", "\"" + key + "\" is not an id");
        result.added.push_back(std::move(token));
    }
    return {};
}

Status read_settings(const JsonObject& config, HfTokenizerConfig& result) {
    const auto flag = [&config](const char* key, std::optional<bool>& value) -> Status {
        if (!config.has(key)) return {};
        LOCKSTEP_ASSIGN(value, config.boolean(key));
        return {};
    };
    LOCKSTEP_TRY(flag("add_bos_token", result.add_bos_token));
    LOCKSTEP_TRY(flag("add_eos_token", result.add_eos_token));
    LOCKSTEP_TRY(flag("legacy", result.legacy));
    LOCKSTEP_TRY(read_names(config, result));
    return read_added_decoder(config, result);
}

// added_tokens.json: {"<|end|>": 32000, ...}
Status read_added_tokens(const JsonObject& file, HfTokenizerConfig& result) {
    for (const auto& [content, id] : file.json().items()) {
        LOCKSTEP_ASSIGN(const int64_t value, file.integer(content, 0, max_added_id));
        AddedToken token;
        token.id = static_cast<int32_t>(value);
        token.content = content;
        const auto same = [&token](const AddedToken& other) {
            return other.content == token.content;
        };
        if (std::none_of(result.added.begin(), result.added.end(), same))
            result.added.push_back(std::move(token));
    }
    return {};
}

template <class Read>
Status with_file(const std::filesystem::path& path, const Read& read) {
    if (!file_exists(path)) return {};
    LOCKSTEP_ASSIGN(const Json json, read_json_file(path));
    LOCKSTEP_ASSIGN(const JsonObject object, JsonObject::of(json, path.string()));
    return read(object);
}

}  // namespace

Result<AddedToken> parse_added_token(const JsonObject& object) {
    AddedToken token;
    LOCKSTEP_ASSIGN(token.content, object.string("content"));
    if (token.content.size() > max_added_bytes)
        return object.error("content",
                            "is longer than " + std::to_string(max_added_bytes) + " bytes");
    LOCKSTEP_ASSIGN(token.special, object.boolean_or("special", false));
    LOCKSTEP_ASSIGN(token.normalized, object.boolean_or("normalized", !token.special));
    LOCKSTEP_ASSIGN(token.single_word, object.boolean_or("single_word", false));
    LOCKSTEP_ASSIGN(token.lstrip, object.boolean_or("lstrip", false));
    LOCKSTEP_ASSIGN(token.rstrip, object.boolean_or("rstrip", false));
    return token;
}

Result<HfTokenizerConfig> read_hf_tokenizer_config(const std::filesystem::path& folder) {
    HfTokenizerConfig result;
    const auto read_config = [&](const JsonObject& config) {
        return read_settings(config, result);
    };
    const auto read_map = [&](const JsonObject& map) { return read_names(map, result); };
    const auto read_added = [&](const JsonObject& file) { return read_added_tokens(file, result); };
    LOCKSTEP_TRY(with_file(folder / "tokenizer_config.json", read_config));
    LOCKSTEP_TRY(with_file(folder / "special_tokens_map.json", read_map));
    LOCKSTEP_TRY(with_file(folder / "added_tokens.json", read_added));
    return result;
}

}  // namespace lockstep
