// SPDX-License-Identifier: GPL-3.0-or-later
// What became of a fault that a candidate was planted with on purpose. One that is not seen was
// either missed, or there is nothing to see: on these inputs truth with the same fault in it is
// truth, or no further from it than the noise floor allows anyone.
#pragma once

#include <string_view>

#include "core/inspect/fault.h"

namespace lockstep {

enum class PlantOutcome {
    found,        // its step diverged
    missed,       // it did not, though that of truth with the fault in it does
    under_floor,  // truth with the fault in it is a match, too
    no_effect,    // truth with the fault in it puts out the same bits
};
std::string_view outcome_name(PlantOutcome outcome);  // "found", ...

// For the candidate: the fault, and truth with the same fault in it.
struct Plant {
    FaultSpec fault;
    KernelPath truth;
};

struct PlantedFault {
    FaultSpec fault;
    PlantOutcome outcome = PlantOutcome::no_effect;
    // Unless it was found: the largest error of truth with the fault in it, at its step, in units
    // of the largest error of the noise floor there; the worst of all passes.
    double times_floor = 0;

    // FaultInfo::shows_with of a fault without effect; else empty.
    std::string_view shows_with() const;
};

}  // namespace lockstep
