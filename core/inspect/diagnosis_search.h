// SPDX-License-Identifier: GPL-3.0-or-later
// Tries a step's hypotheses and decides which of them may be named. Internal to diagnose().
#pragma once

#include "core/inspect/diagnosis_pairs.h"

namespace lockstep {

struct Trial {
    const Hypothesis* hypothesis = nullptr;
    Prediction prediction;  // over Findings::part; of hypotheses that came near only
    Score score;
    double explained = 0;
};

struct Findings {
    Part part;                  // what the decision was taken on
    Score error;                // candidate against truth there
    std::vector<Trial> trials;  // best first
    // Indices of trials that reproduce the candidate and can't be told from the best of them, named
    // ones of the fewest free numbers first. Empty: none reproduces it.
    std::vector<size_t> fitting;
    // Where none does: trials that each reproduce one output on its own, all of them together the
    // candidate.
    std::vector<size_t> together;
    // Where that is empty, too: the two that explain most.
    std::optional<Pair> pair;
};

// progress(fraction): false cancels; the findings are then incomplete.
Findings search(const DiagnosisCase& given, const Hypotheses& hypotheses,
                const std::function<bool(double)>& progress);

}  // namespace lockstep
