// SPDX-License-Identifier: GPL-3.0-or-later
// One click: compare two paths, open the step where they first part, and say why. What `lockstep
// compare` and the panel both run.
#pragma once

#include <optional>

#include "core/inspect/comparison.h"
#include "core/inspect/diagnosis.h"

namespace lockstep {

struct Inspection {
    Comparison comparison;
    std::optional<StepCase> step;        // of comparison.first
    std::optional<Diagnosis> diagnosis;  // where there is a step
};

// request.progress is told of all of it. Cancelled, there is no result.
Result<Inspection> inspect(const CompareRequest& request);

}  // namespace lockstep
