// SPDX-License-Identifier: GPL-3.0-or-later
// The only forward pass: embed, L x (qkv, attention, attn_output, gate_up, down), logits.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "core/run/session.h"
#include "kernels/kernel_path.h"
#include "kernels/step_catalog.h"

namespace lockstep {

// Sees every step after it ran. Off (null), it costs one test per step.
class StepObserver {
  public:
    virtual ~StepObserver() = default;
    // The arguments' memory is overwritten by later steps: copy on the stream what is to be kept.
    virtual Status after_step(const StepArgs& args, bool unfused_outputs, Stream& stream) = 0;
};

struct ForwardOptions {
    const std::atomic<bool>* cancel = nullptr;  // polled before every step
    StepObserver* observer = nullptr;
    bool all_logits = false;  // logits of every row, not of the last one only
    // A number that stands for the path in this session, never for another one: decode steps under
    // it are recorded and replayed where device and path can. 0: every step is called.
    uint64_t replay_key = 0;
};

class Forward {
  public:
    // Runs `tokens` (1 <= count <= session.max_batch()) through the model at the session's position
    // and appends them to its cache. The session takes on the path's activation dtype. Returns
    // logits f32 [rows, V] in host-readable memory, valid until the next call. Cancelled or failed,
    // the cache holds what it held before.
    static Result<Tensor> run(Session& session, const KernelPath& path,
                              std::span<const int32_t> tokens, const ForwardOptions& options);

  private:
    Forward(Session& session, const KernelPath& path, std::span<const int32_t> tokens,
            const ForwardOptions& options);
    Result<Tensor> run(std::span<const int32_t> tokens);
    Status steps(const Tensor& out) const;
    bool replays() const;
    bool stopped() const;
    Result<Tensor> after_failure(const Error& error) const;

    EmbedArgs embed() const;
    QkvArgs qkv(int layer) const;
    AttentionArgs attention(int layer) const;
    AttnOutputArgs attn_output(int layer) const;
    GateUpArgs gate_up(int layer) const;
    DownArgs down(int layer) const;
    LogitsArgs logits(const Tensor& out) const;

    template <class Args>
    Status step(const Args& args) const;
    StepContext at(int layer) const;

    Session& session_;
    const KernelPath& path_;
    const ForwardOptions& options_;
    const ModelConfig& config_;
    const Weights& weights_;
    int64_t rows_;
    int64_t first_row_;
    bool check_;                 // these shapes were not seen before
    Session::Activations made_;  // this batch's rows
};

}  // namespace lockstep
