// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/model_source.h"

#include "core/model/gguf.h"
#include "core/model/gguf_model.h"

namespace lockstep {

Result<ModelSource> open_model_source(const std::filesystem::path& path, bool vocabulary_only) {
    if (folder_exists(path)) return open_hf_folder(path, vocabulary_only);
    if (path.extension() == ".safetensors") {
        return fail(ErrorKind::invalid_file,
                    path.string() + ": a safetensors file is opened by its folder");
    }
    return open_gguf(path, vocabulary_only);
}

Result<ModelSource> open_gguf(const std::filesystem::path& path, bool vocabulary_only) {
    LOCKSTEP_ASSIGN(GgufFile file, GgufFile::open(path));
    const GgufMetadata& metadata = file.metadata();
    ModelSource source;
    source.path = path;
    source.format = gguf_source_format(metadata);
    LOCKSTEP_ASSIGN(source.name, metadata.string_or("general.name", path.stem().string()));
    LOCKSTEP_ASSIGN(source.chat_template, metadata.string_or("tokenizer.chat_template", ""));
    LOCKSTEP_ASSIGN(Vocabulary vocabulary, gguf_vocabulary(metadata));
    if (vocabulary_only) {
        source.config.vocab_size = static_cast<int64_t>(vocabulary.tokens.size());
        LOCKSTEP_ASSIGN(source.config.eos_token_ids, gguf_eos_token_ids(metadata, vocabulary));
    } else {
        LOCKSTEP_ASSIGN(source.weights.tensors, file.read_tensors());
        LOCKSTEP_ASSIGN(source.config, gguf_config(metadata, source.weights.tensors, vocabulary));
        source.weights.where = path.string();
        source.weights.gguf = true;
        source.weights.interleaved_qk = source.config.architecture == Architecture::llama;
    }
    source.make_tokenizer = [vocabulary = std::move(vocabulary)] {
        return make_tokenizer(vocabulary);
    };
    source.files.push_back(std::move(file).release_file());
    return source;
}

}  // namespace lockstep
