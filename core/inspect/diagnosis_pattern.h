// SPDX-License-Identifier: GPL-3.0-or-later
// What the error looks like where no hypothesis explains it. Internal to diagnose().
#pragma once

#include <string>
#include <vector>

#include "core/inspect/diagnosis_replay.h"

namespace lockstep {

ErrorPattern describe_error(const DiagnosisCase& given, const Replay& replay);

// Which of n are marked: "none", "all", "3", "1, 4", "first 5", "last 5", "4 to 9", "every 16th
// from 3", "12 of 576".
std::string describe_marks(const std::vector<bool>& marks);

}  // namespace lockstep
