// SPDX-License-Identifier: GPL-3.0-or-later
// How well a hypothesis reproduces what the candidate put out. Every element's error is measured in
// units of the error that an honest path would have there. Internal to diagnose().
#pragma once

#include "core/inspect/diagnosis_hypothesis.h"

namespace lockstep {

struct TapScore {
    double error = 0;     // energy of candidate - truth
    double residual = 0;  // energy of candidate - hypothesis
    double effect = 0;    // energy of hypothesis - truth
    double noise = 0;     // energy of reference - truth
    double along = 0;     // (candidate - truth) . (hypothesis - truth)
    // The worst part's (whole, a row, a head or tile; largest element) residual over what noise
    // allows it: at most 1 where the tap is reproduced.
    double misfit = 0;
    int64_t unexplained_non_finite = 0;  // elements that are finite in only one of the two
};

struct Score {
    std::vector<TapScore> taps;
    double explained() const;  // share of the error's energy; not below 0
    // The same, but what is left counts only beyond what the reference leaves: what people are
    // told.
    double explained_beyond_noise() const;
    double projection() const;  // where candidate is between truth (0) and hypothesis (1)
    double effect() const;      // size of hypothesis - truth, in units of noise
    double residual() const;    // size of candidate - hypothesis
    double misfit() const;
    bool fits() const;
    bool tap_fits(size_t tap) const;
    bool tap_touched(size_t tap) const { return taps[tap].effect > 0; }
};

Score score(const DiagnosisCase& given, const Part& part, const Prediction& prediction);
// No hypothesis at all: the candidate against truth.
Score score_of_truth(const DiagnosisCase& given, const Part& part);

// Do these inputs tell the two apart, and is the candidate clearly at the first?
bool separates(const DiagnosisCase& given, const Part& part, const Prediction& nearer,
               const Prediction& other);

}  // namespace lockstep
