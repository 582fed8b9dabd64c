// SPDX-License-Identifier: GPL-3.0-or-later
// One step, run by several paths on the same inputs: what "local" means.
#pragma once

#include <atomic>

#include "kernels/kernel_path.h"
#include "kernels/step_catalog.h"
#include "kernels/step_transfer.h"

namespace lockstep {

struct StepRuns {
    SampleStep candidate;
    SampleStep reference;  // the path whose error is the noise floor
    SampleStep truth;
};

struct StepPaths {
    const KernelPath& candidate;
    const KernelPath& reference;
    const KernelPath& truth;
    DType model_dtype;  // activations of paths that are not f32_activations
};

// The values of a step's inputs for a path: activations in the path's dtype, outputs and the cache
// rows that it must append poisoned with NaN, so that what a step leaves unwritten shows.
// stop: see clone_step.
Result<SampleStep> inputs_for(const KernelPath& path, const StepArgs& args, DType model_dtype,
                              const std::atomic<bool>* stop = nullptr);
// What a stream stops for (Stream::stop_when); null where it never does.
const std::atomic<bool>* stop_of(Stream& stream);
Status stop_if_asked(Stream& stream);  // cancelled, where that is true

// Copies the constants that the runs look at (a session's position and tables, which change and end
// with it) to memory of their own, so that the runs outlive the session that they came from. On a
// GPU, brings them and the weights to the host: then all of the runs can be read there.
Status keep_constants(StepRuns& runs, Stream& stream);

// Gives a path the inputs of `args`, as inputs_for() has them, and runs it. on_host: what of `args`
// the host can read where the path runs on a GPU.
Result<SampleStep> run_step_on(const KernelPath& path, const StepArgs& args, DType model_dtype,
                               Stream& stream, OnHost on_host = OnHost::activations);

// The same, after a call with other inputs of the same shapes, so that an output which is the
// previous call's, or a copy that was made in the first call only, is not right by chance.
Result<SampleStep> run_step_after_other_inputs(const KernelPath& path, const StepArgs& args,
                                               DType model_dtype, Stream& stream);

// Gives each path the inputs of `args` (rounded to the model's dtype first, for all of them alike)
// and runs it, the candidate after other inputs. `args` is only read.
//
// On a GPU the paths run there, on the model's weights; what they were given and what they put out
// lies in the host's memory, weights and constants do not.
Result<StepRuns> run_step_on_all(const StepPaths& paths, const StepArgs& args, Stream& stream);

}  // namespace lockstep
