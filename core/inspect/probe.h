// SPDX-License-Identifier: GPL-3.0-or-later
// Records what every step put out: true copies, made on the step's own stream into an arena that
// was allocated beforehand. Strided, sliced and broadcast tensors are copied as what they mean,
// element by logical element; every layer and pass has memory of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
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
    // Reserves memory for every tap of every layer and pass; pages that no tap is written to cost
    // nothing. out_of_memory names the sum.
    static Result<std::unique_ptr<Probe>> create(const ModelConfig& config, DType activation_dtype,
                                                 const Plan& plan, Device& device);
    // What create() would reserve, in bytes.
    static int64_t bytes_needed(const ModelConfig& config, DType activation_dtype,
                                const Plan& plan);

    // What follows belongs to this pass. Its rows may come in several batches: they are put one
    // after the other.
    void begin_pass(int pass) { pass_ = pass; }
    Status after_step(const StepArgs& args, bool unfused_outputs, Stream& stream) override;

    // In the order of execution. Taps that the path did not write are absent.
    std::span<const TapRecord> records() const { return records_; }
    const TapRecord* find(int pass, int layer, StepId step, std::string_view tap) const;

  private:
    Probe() = default;
    struct Slot {  // a record's place: its memory, and how many rows of it are in use
        size_t record = 0;
        int64_t capacity = 0;
    };
    Result<TapRecord*> grow(int layer, StepId step, const NamedTensor& tap);

    std::vector<TapRecord> records_;
    std::unordered_map<std::string, Slot> slots_;
    Buffer arena_;
    size_t used_ = 0;
    Plan plan_;
    int pass_ = 0;
};

// Copies a tensor with any strides (0 too) to contiguous memory of the same dtype, in the stream's
// order.
Status copy_contiguous(const Tensor& from, void* to, Stream& stream);

}  // namespace lockstep
