// SPDX-License-Identifier: GPL-3.0-or-later
// What running the candidate's step again tells: does it depend on chance, or on an earlier call?
// Internal to diagnose().
#pragma once

#include "core/inspect/diagnosis_case.h"

namespace lockstep {

struct Replay {
    bool ran = false;
    // Elements (of all taps) that differ between runs on the same inputs, and the share of the
    // error's energy that lies in elements which differ by more than noise.
    int64_t unstable = 0, elements = 0;
    double unstable_share = 0;
    // The candidate puts out what an earlier call, given other inputs, should have.
    bool stale = false;
};

Result<Replay> replay(const DiagnosisCase& given, const DiagnosisRequest& request);

}  // namespace lockstep
