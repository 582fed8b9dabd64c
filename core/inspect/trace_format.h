// SPDX-License-Identifier: GPL-3.0-or-later
// How a trace names and shapes what it holds: docs/trace-format.md. One place for both the writer
// and the reader.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/config.h"
#include "kernels/step_catalog.h"

namespace lockstep {

// A tensor's place in a trace. layer is -1 for embed, and trace_logits for the logits' step,
// however many layers the model has.
inline constexpr int trace_logits = 1 << 30;
struct TracePlace {
    int pass = 0;
    int layer = -1;
    StepId step = StepId::embed;
    std::string tap;
};

// "pass.0.layers.3.q", "pass.0.embed.hidden", "pass.1.logits". The norms of a layer are told apart
// as its hidden states are: normed of hidden, normed_attn of hidden_attn.
std::string trace_name(int pass, int layer, StepId step, std::string_view tap);
// Empty where it is no name of the format.
std::optional<TracePlace> parse_trace_name(std::string_view name);

// [rows, ...] as the file has it: attn is [rows, heads * head_dim].
std::vector<int64_t> trace_shape(const TracePlace& place, const ModelConfig& config, int64_t rows);

// bf16, fp16, fp32: what `--dtype` takes and the metadata says. Reads PyTorch's names too.
std::string_view trace_dtype_name(DType dtype);
std::optional<DType> parse_trace_dtype(std::string_view name);

}  // namespace lockstep
