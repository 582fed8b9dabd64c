// SPDX-License-Identifier: GPL-3.0-or-later
// Names the fault that explains a divergence, by hypothesis replay: at the guilty step, truth is
// recomputed with each candidate fault in its mathematics; the one that reproduces the candidate's
// wrong output down to the noise floor is the cause. Several that fit are all named, none that fits
// is "unknown". A hypothesis is a statement in maths of its own and shares no code with the
// injector (plant_fault); only the names are the same.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/inspect/comparison.h"

namespace lockstep {

struct Cause {
    std::string
        cause;  // a name of fault_catalog(), "nondeterministic_write" of a step, or "unknown"
    std::map<std::string, std::string> parameters;  // "factor": "1.02", "rows": "17"
    double explained = 0;  // share of the error's energy that the hypothesis accounts for
    double next_best = 0;  // the same of the best hypothesis that is not named
    // "high"; "ambiguous": one of several; "low": one of two that explain the error only together,
    // of so many pairs that chance has its part; "none"
    std::string confidence;
    std::string what;      // in a few words: "k's bias is dropped"
    std::string evidence;  // in words: how well it fits, and what else was tried
};

struct ErrorPattern {                  // what an unknown error looks like
    std::string tensor;                // the one that is described: the first that is wrong
    std::string rows, heads, columns;  // "all", "3", "last 5", "every 16th"
    std::string sign;                  // "mixed", "always larger"
    // Of the wrong elements: "zero", "constant", "not written", "not finite", "of an earlier call",
    // "other at each run"; else empty.
    std::string values;
    double scale_factor = 1;  // least squares candidate = factor * truth
};

struct ExcludedCause {
    std::string cause;
    double explained = 0;  // of the error's energy; far from 1
};

struct Diagnosis {
    std::vector<Cause> causes;            // best first; several where indistinguishable
    std::vector<ExcludedCause> excluded;  // hypotheses tried that do not fit, best first
    ErrorPattern pattern;
    std::string would_separate;  // which input tells ambiguous causes apart, in words
    // The same as a prompt length in tokens that would; 0 where none is known.
    int separating_tokens = 0;
};

struct DiagnosisRequest {
    const StepCase* step = nullptr;      // its tensors are readable by the host
    std::shared_ptr<const Model> model;  // in the host's memory: for the other layers' weights
    // Runs the candidate's step once more, on the same inputs or on others of their shape (values
    // as runs.truth has them); null where that can't be done (a trace). Two runs on the same inputs
    // that differ are a cause of their own.
    std::function<Result<SampleStep>(const StepArgs& inputs)> run_again;
    int threads = 0;                                // of the host; 0: every core
    std::function<bool(double fraction)> progress;  // false cancels
};
Result<Diagnosis> diagnose(const DiagnosisRequest& request);

}  // namespace lockstep
