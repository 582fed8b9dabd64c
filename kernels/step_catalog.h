// SPDX-License-Identifier: GPL-3.0-or-later
// The catalogue: what there is to know about a step, said once. Tests, benchmarks, probe, fault
// injection and diagnosis walk this x kernel_paths(), so that what is tested is what ships.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "kernels/kernel_path.h"
#include "kernels/steps.h"

namespace lockstep {

using StepArgs = std::variant<EmbedArgs, QkvArgs, AttentionArgs, AttnOutputArgs, GateUpArgs,
                              DownArgs, LogitsArgs>;

std::string_view step_name(StepId step);
std::optional<StepId> step_from_name(std::string_view name);

// The sizes that a step's axes stand for.
struct StepShape {
    int64_t rows = 1;  // T
    int64_t hidden_size = 0;
    int64_t num_attention_heads = 0;
    int64_t num_key_value_heads = 0;
    int64_t head_dim = 0;
    int64_t intermediate_size = 0;
    int64_t vocab_size = 0;
    int64_t context = 0;    // C
    int64_t first_row = 0;  // rows already in the cache
    bool qkv_bias = false;

    int64_t size(Axis axis) const;
};

// A tensor of a step, named.
struct NamedTensor {
    std::string_view name;
    Role role;
    Tensor tensor;
};

// All of a step's tensors in the order of its fields; undefined ones left out.
std::vector<NamedTensor> step_tensors(const StepArgs& args);
// What a step puts out under a name: its outputs, for qkv also k and v (the rows it appended), and
// its unfused outputs where `unfused` says that the path wrote them. Those that have heads are seen
// by heads, [T, A, D], attn too.
std::vector<NamedTensor> step_taps(const StepArgs& args, bool unfused);

StepId step_id(const StepArgs& args);
StepContext& step_context(StepArgs& args);
const StepContext& step_context(const StepArgs& args);
Status run_step(const KernelPath& path, const StepArgs& args, Stream& stream);

// The bytes that a step must move at the least: each operand read once, each output written once;
// of the caches the rows in use, of embed_tokens the rows looked up.
int64_t step_bytes(const StepArgs& args);
// Multiplications and additions of its products, each counted as one; norms, rotations and the like
// are left out, being a thousandth of them.
int64_t step_flops(const StepArgs& args);

// Refuses, naming the operand, what no kernel should see: undefined operands, shapes that
// contradict each other, an output that overlaps an input, a position outside the cache,
// unsupported dtypes. forward calls it once per new shape, tests always.
Status check_step(const StepArgs& args);

// Arguments with memory of their own, on the CPU, filled from a seed: weights scaled as in a
// trained model, activations with a few outlier channels, a cache filled up to first_row (for
// attention, up to its last row). What the step must write, and what it must not read, is NaN:
// outputs, padding, the rest of the cache. A shape's context of 0 is as many rows as the call
// needs.
struct SampleStep {
    StepArgs args;
    std::vector<Buffer> buffers;
};
struct SampleOptions {
    DType weight_dtype = DType::bf16;
    DType activation_dtype = DType::bf16;
    uint64_t seed = 1;
    bool strided = false;  // operands are slices of larger tensors: row strides exceed the row
};
Result<SampleStep> make_sample_step(StepId step, const StepShape& shape,
                                    const SampleOptions& options);
// The same values with activations in another dtype and outputs of their own (poisoned with NaN),
// unfused ones included: how truth is given what the candidate was given. Weights and constants are
// views of the original's, which must outlive the clone.
// stop: where it becomes true meanwhile, what the clone holds is not to be used.
Result<SampleStep> clone_step(const StepArgs& args, DType activation_dtype,
                              const std::atomic<bool>* stop = nullptr);

}  // namespace lockstep
