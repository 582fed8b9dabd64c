// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/self_test.h"
#include "core/model/model_copy.h"
#include "core/model/model_loader.h"
#include "core/model/random_model.h"

namespace lockstep {
namespace {

ModelConfig tiny_qwen2() {
    ModelConfig config;
    config.architecture = Architecture::qwen2;
    config.qkv_bias = true;
    config.hidden_size = 136;
    config.intermediate_size = 260;
    config.num_hidden_layers = 4;
    config.num_attention_heads = 14;
    config.num_key_value_heads = 2;
    config.head_dim = 32;
    config.vocab_size = 307;
    config.max_position_embeddings = 512;
    config.rms_norm_eps = 1e-6f;
    config.rope_theta = 1000000;
    config.tie_word_embeddings = false;
    return config;
}

// An eps that is not next to nothing: else no fault of it could ever show.
ModelConfig tiny_llama() {
    ModelConfig config;
    config.architecture = Architecture::llama;
    config.hidden_size = 119;
    config.intermediate_size = 333;
    config.num_hidden_layers = 5;
    config.num_attention_heads = 9;
    config.num_key_value_heads = 3;
    config.head_dim = 48;
    config.vocab_size = 211;
    config.max_position_embeddings = 512;
    config.rms_norm_eps = 0.3f;
    config.rope_theta = 10000;
    config.rope_scaling.type = RopeScaling::Type::llama3;
    config.rope_scaling.factor = 8;
    config.rope_scaling.low_freq_factor = 1;
    config.rope_scaling.high_freq_factor = 4;
    config.rope_scaling.original_max_position_embeddings = 64;
    config.tie_word_embeddings = false;
    return config;
}

SelfTestSubject random_subject(const std::string& name, const ModelConfig& config, Device& device) {
    SelfTestSubject subject;
    subject.name = name;
    subject.random = true;
    subject.load = [name, config, on = &device](
                       DType dtype, uint64_t seed) -> Result<std::shared_ptr<const Model>> {
        LOCKSTEP_ASSIGN(std::shared_ptr<const Model> model,
                        make_random_model({name, seed, config}, dtype));
        if (on->kind() == DeviceKind::cpu) return model;
        LOCKSTEP_ASSIGN(std::shared_ptr<const Model> copy, copy_model(*model, *on));
        return copy;
    };
    return subject;
}

}  // namespace

std::vector<SelfTestSubject> tiny_subjects(Device& device) {
    return {random_subject("tiny-qwen2", tiny_qwen2(), device),
            random_subject("tiny-llama", tiny_llama(), device)};
}

SelfTestSubject file_subject(const std::filesystem::path& file, Device& device) {
    SelfTestSubject subject;
    subject.name = file.stem().string();
    subject.load = [file, on = &device](DType dtype,
                                        uint64_t) -> Result<std::shared_ptr<const Model>> {
        LoadOptions options;
        options.device = on;
        options.dtype = dtype;
        LOCKSTEP_ASSIGN(std::shared_ptr<const Model> model, load_model(file, options));
        return model;
    };
    return subject;
}

}  // namespace lockstep
