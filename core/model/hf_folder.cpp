// SPDX-License-Identifier: GPL-3.0-or-later
// A Hugging Face folder as a ModelSource.
#include <algorithm>

#include "core/base/json.h"
#include "core/model/hf_config.h"
#include "core/model/model_source.h"
#include "core/model/safetensors.h"

namespace lockstep {
namespace {

constexpr size_t max_template = size_t{1} << 20;

// "default" of a list of named templates.
Result<std::string> default_template(const JsonObject& json, const Json& list) {
    for (const Json& entry : list) {
        if (!entry.is_object() || !entry.contains("name") || entry.at("name") != "default")
            continue;
        LOCKSTEP_ASSIGN(const JsonObject named, JsonObject::of(entry, json.where("chat_template")));
        return named.string("template");
    }
    return json.error("chat_template", "a list without a template named \"default\"");
}

// chat_template.jinja, else tokenizer_config.json's chat_template; empty where there is neither.
Result<std::string> read_chat_template(const std::filesystem::path& folder) {
    if (file_exists(folder / "chat_template.jinja")) {
        return read_text_file(folder / "chat_template.jinja", max_template);
    }
    const std::filesystem::path path = folder / "tokenizer_config.json";
    if (!file_exists(path)) return std::string();
    LOCKSTEP_ASSIGN(const Json file, read_json_file(path, {size_t{64} << 20, 32}));
    LOCKSTEP_ASSIGN(const JsonObject json, JsonObject::of(file, path.string()));
    const Json* value = json.find("chat_template");
    if (!value) return std::string();
    if (value->is_array()) return default_template(json, *value);
    return json.string("chat_template");
}

// What the folder holds instead of the weights that it should, in words.
std::string other_weights(const std::filesystem::path& folder) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.ends_with(".gguf")) return "; it holds " + name + ", which can be opened itself";
        if (name.ends_with(".bin") || name.ends_with(".pth")) {
            return "; it holds " + name + ", but of PyTorch's files only safetensors are read";
        }
    }
    return "";
}

Status open_weights(const std::filesystem::path& folder, ModelSource& source) {
    std::error_code ignored;
    const auto present = [&](const char* name) {
        return std::filesystem::exists(std::filesystem::symlink_status(folder / name, ignored));
    };
    if (!present("model.safetensors") && !present("model.safetensors.index.json")) {
        return fail(ErrorKind::invalid_file,
                    folder.string() +
                        ": the folder has no weights (model.safetensors or "
                        "model.safetensors.index.json)" +
                        other_weights(folder));
    }
    LOCKSTEP_ASSIGN(SafetensorsFolder opened, open_safetensors(folder));
    source.weights.tensors = std::move(opened.tensors);
    source.weights.where = opened.where.string();
    source.files = std::move(opened.files);
    const auto& tensors = source.weights.tensors;
    const auto embedding =
        std::ranges::find(tensors, "model.embed_tokens.weight", &StoredTensor::name);
    source.format = "safetensors";
    if (embedding != tensors.end()) source.format += ' ' + embedding->type;
    return {};
}

// With vocabulary_only a config that cannot be run, or none, is no obstacle.
Status read_config(const std::filesystem::path& folder, bool vocabulary_only, ModelSource& source) {
    auto config = read_hf_config(folder / "config.json");
    if (!config)
        return vocabulary_only ? Status()
                               : Status(tl::unexpected<Error>(std::move(config).error()));
    source.config = std::move(*config);
    const std::filesystem::path generation = folder / "generation_config.json";
    if (!file_exists(generation)) return {};
    auto defaults = read_generation_config(generation, source.config);
    if (!defaults)
        return vocabulary_only ? Status()
                               : Status(tl::unexpected<Error>(std::move(defaults).error()));
    source.generation_defaults = *defaults;
    return {};
}

}  // namespace

Result<ModelSource> open_hf_folder(const std::filesystem::path& folder, bool vocabulary_only) {
    ModelSource source;
    source.path = folder;
    const std::filesystem::path normal =
        (std::filesystem::absolute(folder) / "").lexically_normal();
    source.name = normal.parent_path().filename().string();
    source.format = "safetensors";
    if (!vocabulary_only && !file_exists(folder / "config.json")) {
        return fail(ErrorKind::invalid_file, folder.string() +
                                                 ": not a model's folder: config.json is missing" +
                                                 other_weights(folder));
    }
    LOCKSTEP_TRY(read_config(folder, vocabulary_only, source));
    LOCKSTEP_ASSIGN(source.chat_template, read_chat_template(folder));
    if (!vocabulary_only) LOCKSTEP_TRY(open_weights(folder, source));
    source.make_tokenizer = [folder] { return load_tokenizer(folder); };
    return source;
}

}  // namespace lockstep
