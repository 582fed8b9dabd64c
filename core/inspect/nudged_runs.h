// SPDX-License-Identifier: GPL-3.0-or-later
// What honest rounding may make of a step, and of a whole run: more samples of its noise than the
// reference's one.
// Internal to compare_paths().
//
// A path rounds on its way to a step's output: the normed row to the activations' dtype, each sum
// of f32 products in an order of its own. Truth, given operands that are moved at random by as
// much, shows what that does to the output: next to nothing as a rule, much where one channel is
// far larger than all others and its rounding scales the whole row.
#pragma once

#include "core/inspect/step_runs.h"

namespace lockstep {

// Truth on the inputs of `exact` (a run of it, StepRuns::truth), moved by a random share of
//   one rounding of model_dtype, where the step norms its input (on the norm's weight, per
//   channel), and what a sum of n products in f32 may be off by: 2^-24 (4 + sqrt(n / 2)), on every
//   operand that is multiplied. Residuals are read as they are.
// Call before the runs' weights leave the stream's device.
Result<SampleStep> run_nudged(const KernelPath& truth, const StepArgs& exact, DType model_dtype,
                              uint64_t seed, Stream& stream);

// An honest path of the model's dtype, one of many: truth whose steps are nudged so, and whose
// outputs (but those of embed, which rounds nothing) are moved by a random share of one rounding of
// model_dtype, as storing them would. Fed by itself it drifts as such a path may. seed: which of
// them. Copies of the path share what their steps draw.
KernelPath rounding_path(const KernelPath& truth, DType model_dtype, uint64_t seed);

}  // namespace lockstep
