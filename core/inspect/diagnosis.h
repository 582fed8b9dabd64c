// SPDX-License-Identifier: GPL-3.0-or-later
// Names the fault that explains a divergence, by hypothesis replay: at the guilty step, truth is
// recomputed with each candidate fault in its mathematics; the one that reproduces the candidate's
// wrong output down to the noise floor is the cause. Several that fit are all named, none that fits
// is "unknown". A hypothesis is a statement in maths of its own and shares no code with fault.h.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/inspect/comparison.h"

namespace lockstep {

struct Cause {
    std::string cause;  // a name of fault_catalog(), or "unknown", or "nondeterministic_write"
    std::map<std::string, std::string> parameters;  // "factor": "1.02", "rows": "17"
    double explained = 0;    // share of the error's energy that the hypothesis accounts for
    double next_best = 0;    // the same of the best hypothesis that is not named
    std::string confidence;  // "high", "ambiguous", "none"
    std::string evidence;    // in words
};

struct ErrorPattern {                  // what an unknown error looks like
    std::string rows, heads, columns;  // "all", "3", "last 5", "every 16th"
    std::string sign;                  // "mixed", "always larger"
    double scale_factor = 1;           // least squares candidate = factor * truth
};

struct Diagnosis {
    std::vector<Cause> causes;          // best first; several where indistinguishable
    std::vector<std::string> excluded;  // hypotheses tried that do not fit
    ErrorPattern pattern;
    std::string would_separate;  // which input tells ambiguous causes apart
};

Result<Diagnosis> diagnose(const StepCase& step, const KernelPath& candidate, Stream& stream);

}  // namespace lockstep
