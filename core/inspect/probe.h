// SPDX-License-Identifier: GPL-3.0-or-later
// Records what every step put out: true copies, made on the step's own stream into an arena that
// was allocated beforehand. Strided, sliced and broadcast tensors are copied element by logical
// element.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/model/config.h"
#include "core/run/forward.h"

namespace lockstep {

struct TapRecord {
    int pass = 0;    // 0: the prefill; n: the n-th decode step
    int layer = -1;  // -1: embed; num_hidden_layers: logits
    StepId step = StepId::embed;
    std::string tap;  // "q", "k", "hidden", ...
    Tensor tensor;    // contiguous, [rows of the pass, ...], in the dtype it was computed in
};

class Probe final : public StepObserver {
  public:
    struct Plan {
        int64_t prefill_rows = 1;
        int decode_steps = 0;
        int64_t logits_rows = 1;  // rows of logits in the prefill
    };
    // Allocates for every tap of every layer and pass; out_of_memory names the sum.
    static Result<std::unique_ptr<Probe>> create(const ModelConfig& config, DType activation_dtype,
                                                 const Plan& plan, Device& device);

    // Rows of a pass may come in several batches; they are put one after the other.
    void begin_pass(int pass);
    Status after_step(const StepArgs& args, bool unfused_outputs, Stream& stream) override;

    // In execution order. Taps that the path did not write are absent.
    std::span<const TapRecord> records() const { return records_; }
    const TapRecord* find(int pass, int layer, std::string_view tap) const;

  private:
    Probe() = default;
    std::vector<TapRecord> records_;
    Buffer arena_;
    int pass_ = 0;
};

}  // namespace lockstep
