// SPDX-License-Identifier: GPL-3.0-or-later
// Steps on a device whose memory the host cannot read: tests and inspection make their inputs and
// judge the outputs in the host's memory, wherever the step runs.
#pragma once

#include "kernels/step_catalog.h"

namespace lockstep {

// Which of a call's tensors lie in the host's memory; the others lie in the stream's device's.
enum class OnHost {
    everything,   // a sample (make_sample_step)
    activations,  // inputs, outputs and caches: a clone of a call whose weights are a model's
};

// run_step, then waits for it. On another device than the CPU, what lies on the host is copied over
// (its strides and the memory between its rows as they are) and what the step may write is copied
// back.
Status run_step_from_host(const KernelPath& path, const StepArgs& args, OnHost on_host,
                          Stream& stream);

// clone_step of a call whose tensors lie on the stream's device: inputs and caches are brought to
// the host, outputs are made there; weights and constants stay views of the original's.
Result<SampleStep> clone_step(const StepArgs& args, DType activation_dtype, Stream& stream);

// Brings weights and constants of a call to the host, too, in memory that joins `buffers`.
Status bring_weights(StepArgs& args, std::vector<Buffer>& buffers, Stream& stream);
// Weights and constants of `to` become views of those of `from`, a call of the same step.
void share_weights(const StepArgs& from, StepArgs& to);

// The elements of a tensor on the stream's device, in host memory with the same strides, once this
// returns. On the CPU, the tensor itself.
Result<Tensor> bring_to_host(const Tensor& tensor, std::vector<Buffer>& buffers, Stream& stream);

}  // namespace lockstep
