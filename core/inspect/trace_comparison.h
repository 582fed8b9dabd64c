// SPDX-License-Identifier: GPL-3.0-or-later
// The comparison of a trace: what compare_paths() and reopen_step() do where the request has one.
// The reference runs the trace's tokens and is watched step by step for drift; reference and truth
// run each step once more on the trace's own inputs (TraceSteps), and the trace's outputs are
// judged against those.
#pragma once

#include "core/inspect/comparison.h"

namespace lockstep {

// first_step: kept there, where it is not null and some step diverged.
Result<Comparison> compare_trace(const CompareRequest& request,
                                 std::optional<StepCase>* first_step);
Result<StepCase> reopen_trace_step(const CompareRequest& request, const Divergence& where);

}  // namespace lockstep
