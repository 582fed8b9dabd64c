// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/diagnosis_search.h"

#include <algorithm>
#include <numeric>

namespace lockstep {
namespace {

constexpr int64_t sample_rows = 6;
constexpr int64_t most_rows = 64;
// Logits have columns by the ten thousands: some thousands tell hypotheses apart.
constexpr int64_t most_columns = 4096;
constexpr int64_t most_logits_rows = 8;
// A hypothesis that explains less than this of the sample is not tried on more.
constexpr double worth_a_try = 0.3;
// What is named accounts for this much of the error at the least, noise included.
constexpr double least_explained = 0.5;

// Columns spread over the whole width; the first and the last ones all.
std::vector<int64_t> some_columns(int64_t width) {
    std::vector<int64_t> columns;
    constexpr int64_t ends = 256;
    if (width <= most_columns) return columns;
    const int64_t step = (width - 2 * ends) / (most_columns - 2 * ends) + 1;
    for (int64_t c = 0; c < width; c += c < ends || c >= width - ends ? 1 : step)
        columns.push_back(c);
    return columns;
}

struct Parts {
    Part sample, all;
};

Parts parts_of(const DiagnosisCase& given) {
    Parts parts;
    const bool logits = given.step() == StepId::logits;
    parts.sample = given.sample(logits ? 3 : sample_rows);
    parts.all = given.sample(logits ? most_logits_rows : most_rows);
    if (logits) {
        parts.sample.columns = some_columns(given.taps()[0].columns());
        parts.all.columns = parts.sample.columns;
    }
    return parts;
}

// Without a bias in the model's output, without a number to be found: said first.
bool simpler(const Hypothesis& a, const Hypothesis& b) {
    const auto rank = [](const Hypothesis& h) {
        return std::pair(h.freedom, h.cause.empty() ? 1 : 0);
    };
    return rank(a) < rank(b);
}

// Of those that fit, the one nearest to the candidate, and all that can't be told from it.
std::vector<size_t> choose(const DiagnosisCase& given, const Findings& findings) {
    std::vector<size_t> fits;
    const bool in_noise = findings.error.misfit() <= 1;
    for (size_t i = 0; i < findings.trials.size(); ++i) {
        const Trial& trial = findings.trials[i];
        if (trial.prediction.taps.empty() || !trial.score.fits()) continue;
        // A number fitted to what is in the noise already fits by itself.
        if (in_noise && trial.hypothesis->freedom > 1) continue;
        if (trial.explained >= least_explained) fits.push_back(i);
    }
    std::erase_if(fits, [&](size_t i) {
        const Hypothesis& own = *findings.trials[i].hypothesis;
        return own.freedom > 1 && std::any_of(fits.begin(), fits.end(), [&](size_t other) {
                   const Hypothesis& plain = *findings.trials[other].hypothesis;
                   return plain.freedom < 2 && family_of(plain) == family_of(own) &&
                          !family_of(own).empty();
               });
    });
    if (fits.empty()) return fits;
    const auto residual = [&](size_t i) { return findings.trials[i].score.residual(); };
    const size_t nearest = *std::min_element(
        fits.begin(), fits.end(), [&](size_t a, size_t b) { return residual(a) < residual(b); });
    std::erase_if(fits, [&](size_t i) {
        return i != nearest && separates(given, findings.part, findings.trials[nearest].prediction,
                                         findings.trials[i].prediction);
    });
    std::stable_sort(fits.begin(), fits.end(), [&](size_t a, size_t b) {
        return simpler(*findings.trials[a].hypothesis, *findings.trials[b].hypothesis);
    });
    return fits;
}

// For each output that is wrong, a hypothesis that changes it alone and reproduces it.
std::vector<size_t> choose_together(const DiagnosisCase& given, const Findings& findings) {
    std::vector<size_t> chosen;
    for (size_t tap = 0; tap < given.taps().size(); ++tap) {
        if (findings.error.tap_fits(tap)) continue;
        std::optional<size_t> found;
        for (size_t i = 0; i < findings.trials.size(); ++i) {
            const Trial& trial = findings.trials[i];
            if (trial.prediction.taps.empty() || trial.hypothesis->cause.empty()) continue;
            bool alone = trial.score.tap_fits(tap) && trial.score.tap_touched(tap);
            for (size_t other = 0; other < given.taps().size(); ++other)
                alone = alone && (other == tap || trial.prediction.taps[other].empty());
            if (!alone || trial.hypothesis->freedom > 1) continue;
            if (!found || simpler(*trial.hypothesis, *findings.trials[*found].hypothesis))
                found = i;
        }
        if (!found) return {};
        chosen.push_back(*found);
    }
    return chosen;
}

}  // namespace

Findings search(const DiagnosisCase& given, const Hypotheses& hypotheses,
                const std::function<bool(double)>& progress) {
    const Parts parts = parts_of(given);
    Findings findings;
    findings.part = parts.all;
    findings.error = score_of_truth(given, parts.all);
    size_t done = 0;
    for (const Hypothesis& hypothesis : hypotheses) {
        Trial trial;
        trial.hypothesis = &hypothesis;
        trial.score = score(given, parts.sample, hypothesis.predict(parts.sample));
        trial.explained = trial.score.explained();
        const bool near =
            trial.explained >= worth_a_try ||
            std::any_of(trial.score.taps.begin(), trial.score.taps.end(),
                        [](const TapScore& tap) { return tap.effect > 0 && tap.misfit <= 2.5; });
        if (near) {
            trial.prediction = hypothesis.predict(parts.all);
            trial.score = score(given, parts.all, trial.prediction);
            trial.explained = trial.score.explained();
        }
        findings.trials.push_back(std::move(trial));
        ++done;
        if (progress &&
            !progress(static_cast<double>(done) / static_cast<double>(hypotheses.size())))
            return findings;
    }
    std::stable_sort(findings.trials.begin(), findings.trials.end(),
                     [](const Trial& a, const Trial& b) { return a.explained > b.explained; });
    findings.fitting = choose(given, findings);
    if (findings.fitting.empty()) findings.together = choose_together(given, findings);
    if (findings.fitting.empty() && findings.together.empty() && findings.error.misfit() > 1)
        findings.pair = best_pair(given, findings.part, findings.trials);
    return findings;
}

}  // namespace lockstep
