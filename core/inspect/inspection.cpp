// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/inspection.h"

namespace lockstep {

Result<Inspection> inspect(const CompareRequest& request) {
    Inspection result;
    LOCKSTEP_ASSIGN(result.comparison, compare_paths(request));
    if (!result.comparison.first) return result;
    LOCKSTEP_ASSIGN(StepCase step, reopen_step(request, *result.comparison.first));
    result.step = std::move(step);
    return result;
}

}  // namespace lockstep
