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
};

class Forward {
  public:
    // Runs `tokens` (1 <= count <= session.max_batch()) through the model at the session's position
    // and appends them to its cache. Returns logits f32 [rows, V] in host-readable memory, valid until
    // the next call. Cancelled or failed, the session is as it was before.
    static Result<Tensor> run(Session& session, const KernelPath& path,
                              std::span<const int32_t> tokens, const ForwardOptions& options);
};

}  // namespace lockstep
