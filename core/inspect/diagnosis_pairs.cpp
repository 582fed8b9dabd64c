// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/diagnosis_pairs.h"

#include <algorithm>
#include <cmath>

#include "core/inspect/diagnosis_search.h"

namespace lockstep {
namespace {

constexpr size_t most_leaders = 6;
// Of the error, what a first fault must explain by itself, and of what it leaves, what a second
// must.
constexpr double least_first = 0.05, least_second = 0.5;

// Two faults that do not act on each other: their errors add up. True of weights and biases, of
// residuals, of parts of an output; where it is not, the two do not fit.
Prediction added(Prediction a, const Prediction& b, const DiagnosisCase& given, const Part& part) {
    const size_t count = given.taps().size();
    a.taps.resize(count);
    a.noise.resize(count);
    a.flips = a.flips || b.flips;
    for (size_t tap = 0; tap < count; ++tap) {
        if (tap >= b.taps.size() || b.taps[tap].empty()) continue;
        if (tap < b.noise.size() && a.noise[tap].size() < b.noise[tap].size())
            a.noise[tap] = b.noise[tap];
        if (a.taps[tap].empty()) {
            a.taps[tap] = b.taps[tap];
            continue;
        }
        const std::vector<double> truth = truth_of(given.taps()[tap], part);
        for (size_t i = 0; i < truth.size(); ++i) a.taps[tap][i] += b.taps[tap][i] - truth[i];
    }
    return a;
}

bool one_and_the_same(const Hypothesis& a, const Hypothesis& b) {
    if (&a == &b) return true;
    return family_of(a).empty() ? a.words == b.words : family_of(a) == family_of(b);
}

double residual_energy(const Score& score) {
    return score.residual() * score.residual();
}

// One of the faults that explain most by themselves.
struct Leader {
    const Hypothesis* hypothesis;
    Prediction prediction;
    Score alone;
};

class PairSearch {
  public:
    PairSearch(const DiagnosisCase& given, const Part& part, const std::vector<Trial>& trials)
        : given_(given), part_(part), trials_(trials) {}

    std::optional<Pair> run() {
        for (const Trial& trial : trials_) {
            if (leaders_.size() == most_leaders) break;
            const Hypothesis& own = *trial.hypothesis;
            Prediction made = trial.prediction.taps.empty() ? own.predict(part_) : trial.prediction;
            Score alone = score(given_, part_, made);
            leaders_.push_back({&own, std::move(made), std::move(alone)});
        }
        for (size_t i = 0; i < leaders_.size(); ++i) {
            if (leaders_[i].alone.explained() < least_first) break;
            try_what_comes_after(leaders_[i]);
            for (size_t k = i + 1; k < leaders_.size(); ++k) try_beside(leaders_[i], leaders_[k]);
        }
        return chosen();
    }

  private:
    void try_what_comes_after(const Leader& first) {
        Hypothesis known = *first.hypothesis;
        known.predict = [this, &first](const Part& asked) {
            return &asked == &part_ ? first.prediction : first.hypothesis->predict(asked);
        };
        for (const Trial& trial : trials_) {
            const Hypothesis& second = *trial.hypothesis;
            if (!second.after || one_and_the_same(*first.hypothesis, second)) continue;
            Hypothesis both = second.after(known);
            Prediction made = both.predict(part_);
            consider(first, std::move(both), std::move(made));
        }
    }

    void try_beside(const Leader& first, const Leader& second) {
        if (second.hypothesis->after || one_and_the_same(*first.hypothesis, *second.hypothesis))
            return;
        consider(first, *second.hypothesis,
                 added(first.prediction, second.prediction, given_, part_));
    }

    void consider(const Leader& first, Hypothesis second, Prediction made) {
        Pair pair;
        pair.first = first.hypothesis;
        pair.first_explained = first.alone.explained();
        pair.score = score(given_, part_, made);
        pair.explained = pair.score.explained();
        if (residual_energy(pair.score) > (1 - least_second) * residual_energy(first.alone)) return;
        pair.second = std::move(second);
        pair.prediction = std::move(made);
        // To within the noise, and not only next to nothing of a large error.
        pair.fits = pair.score.fits() && pair.score.misfit() <= 1;
        pairs_.push_back(std::move(pair));
    }

    std::optional<Pair> chosen() {
        if (pairs_.empty()) return std::nullopt;
        const auto nearer = [](const Pair& a, const Pair& b) {
            return std::pair(!a.fits, a.score.residual()) < std::pair(!b.fits, b.score.residual());
        };
        const auto best = std::min_element(pairs_.begin(), pairs_.end(), nearer);
        for (const Pair& other : pairs_) {
            if (&other == &*best || !other.fits || same_causes(*best, other)) continue;
            best->fits = best->fits && separates(given_, part_, best->prediction, other.prediction);
        }
        return std::move(*best);
    }

    static bool same_causes(const Pair& a, const Pair& b) {
        const auto same = [](const Hypothesis& x, const Hypothesis& y) {
            return x.cause == y.cause && (!x.cause.empty() || x.words == y.words);
        };
        return (same(*a.first, *b.first) && same(a.second, b.second)) ||
               (same(*a.first, b.second) && same(a.second, *b.first));
    }

    const DiagnosisCase& given_;
    const Part& part_;
    const std::vector<Trial>& trials_;
    std::vector<Leader> leaders_;
    std::vector<Pair> pairs_;
};

}  // namespace

std::optional<Pair> best_pair(const DiagnosisCase& given, const Part& part,
                              const std::vector<Trial>& trials) {
    return PairSearch(given, part, trials).run();
}

}  // namespace lockstep
