// SPDX-License-Identifier: GPL-3.0-or-later
// What is remembered between tokens: the KV cache, the tokens it holds, the activations. One
// session belongs to one conversation, on the device that the model's weights lie on; it is used
// from one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/model/model.h"
#include "kernels/device.h"
#include "kernels/kernel_path.h"

namespace lockstep {

class Session {
  public:
    // context: rows of the cache, at most config.max_position_embeddings. Everything is allocated
    // here: nothing per token.
    // device: where the model's weights lie (device_of).
    static Result<std::unique_ptr<Session>> create(std::shared_ptr<const Model> model,
                                                   Device& device, int threads, int64_t context);

    const Model& model() const { return *model_; }
    Device& device() const { return stream_->device(); }
    Stream& stream() { return *stream_; }
    int64_t context() const { return context_; }
    int64_t max_batch() const { return max_batch_; }  // rows of one forward pass at most
    // The tokens whose rows the cache holds.
    std::span<const int32_t> tokens() const { return tokens_; }

    // Rows that the next forward pass should have at most, <= max_batch(): so few that no step of
    // it keeps a waiting stop for long. Depends on the model, the position and the path only, never
    // on a clock, so that the same prompt is always split in the same way.
    int64_t batch_rows(const KernelPath& path) const;

    // Keeps the longest common prefix of the cache and `tokens`, drops the rest, and returns its
    // length. At least one of `tokens` is left to be run, so that there are logits.
    int64_t keep_common_prefix(std::span<const int32_t> tokens);
    void truncate(int64_t rows);

    // Activations and cache change their dtype when a path of another activation dtype takes over
    // mid-answer; what the cache holds is converted. On failure all stays as it was.
    Status set_activation_dtype(DType dtype);
    DType activation_dtype() const { return activation_dtype_; }

  private:
    friend class Forward;
    Session() = default;

    // Views of one batch's activations [max_batch, ...]; two hidden states, for a step's output
    // never overlaps its input.
    struct Activations {
        Tensor hidden, hidden_attn, normed;  // [T, H]
        Tensor q, q_pre_rope;                // [T, A, D]
        Tensor k_pre_rope;                   // [T, G, D]
        Tensor attn;                         // [T, A*D]
        Tensor mlp;                          // [T, I]
    };
    struct Cache {
        Buffer buffer;
        std::vector<Tensor> k, v;  // per layer [C, G, D]
    };

    Status make_constants();
    // The tokens of a batch, and the position of the first: to the device, in one copy.
    Status copy_inputs(int32_t position, std::span<const int32_t> tokens);
    Result<Cache> make_cache(DType dtype) const;
    Status copy_cache(const Cache& from, Cache& to);
    Status make_activations(DType dtype);
    // f32 [rows, V], kept from call to call: in the device's memory, or in the host's.
    Result<Tensor> logits(int64_t rows);
    Result<Tensor> host_logits(int64_t rows);
    // Waits for the stream; the tensor itself where the host can read it, else a copy.
    Result<Tensor> to_host(const Tensor& tensor);

    std::shared_ptr<const Model> model_;
    std::unique_ptr<Stream> stream_;
    DType activation_dtype_ = DType::bf16;
    int64_t context_ = 0;
    int64_t max_batch_ = 0;
    std::vector<int32_t> tokens_;

    Buffer constant_buffer_, activation_buffer_, logits_buffer_;
    Buffer host_logits_;           // of allocate_host, where the device's memory is not the host's
    Tensor rope_cos_, rope_sin_;   // f32 [C, D/2]
    Tensor position_, ids_;        // i32 [1], i32 [max_batch], one behind the other
    std::vector<int32_t> inputs_;  // what is copied there
    Activations activations_;
    Cache cache_;
    std::vector<bool> checked_;  // per number of rows: its shapes went through check_step
};

}  // namespace lockstep
