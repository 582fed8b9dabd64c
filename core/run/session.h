// SPDX-License-Identifier: GPL-3.0-or-later
// What is remembered between tokens: the KV cache, the tokens it holds, the activations. One session
// belongs to one conversation on one device; it is used from one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/model/model.h"
#include "kernels/device.h"

namespace lockstep {

class Session {
  public:
    // context: rows of the cache, at most config.max_position_embeddings. Everything is allocated
    // here: nothing per token.
    static Result<std::unique_ptr<Session>> create(std::shared_ptr<const Model> model,
                                                   Device& device, int threads, int64_t context);

    const Model& model() const { return *model_; }
    Stream& stream() { return *stream_; }
    int64_t context() const { return context_; }
    int64_t max_batch() const { return max_batch_; }  // rows of one forward pass at most
    // The tokens whose rows the cache holds.
    std::span<const int32_t> tokens() const { return tokens_; }

    // Keeps the longest common prefix of the cache and `tokens`, drops the rest, and returns its
    // length. At least one of `tokens` is left to be run, so that there are logits.
    int64_t keep_common_prefix(std::span<const int32_t> tokens);
    void truncate(int64_t rows);

    // Activations and cache change their dtype when a path of another activation dtype takes over
    // mid-answer; what the cache holds is converted.
    Status set_activation_dtype(DType dtype);
    DType activation_dtype() const { return activation_dtype_; }

  private:
    friend class Forward;
    Session() = default;

    std::shared_ptr<const Model> model_;
    std::unique_ptr<Stream> stream_;
    Buffer cache_buffer_, activation_buffer_, constant_buffer_;
    DType activation_dtype_ = DType::bf16;
    int64_t context_ = 0;
    int64_t max_batch_ = 0;
    std::vector<int32_t> tokens_;
    std::vector<Tensor> k_cache_, v_cache_;  // per layer [C, G, D]
    Tensor rope_cos_, rope_sin_;             // f32 [C, D/2]
    Tensor position_, ids_;                  // i32 [1], i32 [max_batch]
    // Activations of one batch [max_batch, ...]; two hidden states, for a step's output never
    // overlaps its input.
    Tensor hidden_, hidden_attn_, normed_, q_, q_pre_rope_, k_pre_rope_, attn_, mlp_, logits_;
};

}  // namespace lockstep
