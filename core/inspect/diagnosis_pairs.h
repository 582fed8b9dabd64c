// SPDX-License-Identifier: GPL-3.0-or-later
// Two faults in one step, where no single one explains it: each of those that explain most,
// together with another of them or with what may happen to an output after it. Internal to
// diagnose().
#pragma once

#include <optional>
#include <vector>

#include "core/inspect/diagnosis_score.h"

namespace lockstep {

struct Trial;

struct Pair {
    const Hypothesis* first = nullptr;
    double first_explained = 0;  // alone, of the error's energy
    Hypothesis second;           // its cause, parameters and words are its own alone
    Prediction prediction;       // of both, as `score` and `explained` are
    Score score;
    double explained = 0;
    // Both together reproduce the candidate down to the noise, and no other two that can be told
    // from them do.
    bool fits = false;
};

// trials: best first. Empty where no second fault explains half of what the first leaves.
std::optional<Pair> best_pair(const DiagnosisCase& given, const Part& part,
                              const std::vector<Trial>& trials);

}  // namespace lockstep
