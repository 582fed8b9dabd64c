// SPDX-License-Identifier: GPL-3.0-or-later
// What a GGUF's metadata says about the model: config, vocabulary, and where each weight lies. Key
// names as in gguf-py's constants.py.
#pragma once

#include "core/model/config.h"
#include "core/model/gguf_metadata.h"
#include "core/model/stored_tensor.h"
#include "core/text/vocabulary.h"

namespace lockstep {

// Refuses an architecture that the engine cannot run and names those that it can. qkv_bias,
// tie_word_embeddings, rope_freq_factors and vocab_size come from the tensors.
Result<ModelConfig> gguf_config(const GgufMetadata& metadata,
                                const std::vector<StoredTensor>& tensors,
                                const Vocabulary& vocabulary);
Result<Vocabulary> gguf_vocabulary(const GgufMetadata& metadata);
// Every token that ends an answer, sorted.
Result<std::vector<int32_t>> gguf_eos_token_ids(const GgufMetadata& metadata,
                                                const Vocabulary& vocabulary);
// "GGUF Q4_K_M", from general.file_type.
std::string gguf_source_format(const GgufMetadata& metadata);

}  // namespace lockstep
