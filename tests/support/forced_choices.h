// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a path, with truth's tokens forced upon it, chooses truth's token at every place: greedy
// decoding then gives the same answer. In 16 bits it may choose another one only where rounding as
// such decides between the two.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/run/session.h"

namespace lockstep::test {

// What choices after a prompt are measured with: n places, at each of which a token is chosen.
struct ChoiceRuler {
    std::vector<int32_t> truth;  // [n]: the tokens that greedy decoding chooses
    std::vector<float> logits;   // [n, V], truth's
    // [n]: what the dtype's rounding does to the difference of two of this place's logits, as a
    // standard deviation: sqrt(2) times that of (the CPU's reference - truth) over the row. 0: f32.
    std::vector<double> scatter;
    int reference_changes = 0;  // places where the CPU's reference chooses another token
};
// exact: f32 weights; rounded: the same model in the judged paths' dtype (null: f32). Both on the
// CPU: what is judged on a GPU never is its own measure.
Result<ChoiceRuler> make_choice_ruler(const std::shared_ptr<const Model>& exact,
                                      const std::shared_ptr<const Model>& rounded,
                                      std::span<const int32_t> prompt,
                                      std::span<const int32_t> truth);

// The tokens that a path chooses in `session`, truth's forced upon it: the prompt at once, then a
// row a token, recorded where device and path can. replay_key: ForwardOptions::replay_key.
Result<std::vector<int32_t>> forced_choices(Session& session, const KernelPath& path,
                                            uint64_t replay_key, std::span<const int32_t> prompt,
                                            std::span<const int32_t> truth);

// Of the places at which another token than truth's was chosen, which are ties.
struct ChoiceCount {
    // Two of truth's logits so close that either may come first.
    static constexpr double tie = 1e-4;
    // Rounding passes a lead of so many scatters once in 30,000 places; one of a whole answer's
    // places is seldom such.
    static constexpr double most_scatters = 4;

    int tokens = 0, exact = 0;
    int ties = 0;               // the other token is within `tie` of the best
    int by_rounding = 0;        // ... not so, but within most_scatters of the place's scatter
    int wrong = 0;              // ... neither
    int reference_changes = 0;  // the ruler's
    double widest = 0;          // lead of truth's token over another that was chosen
    double in_scatters = 0;     // the same in the place's scatters, ties left out
    std::string first_wrong;

    // Each change is excused by its place's rounding, and they are no more than the CPU reference
    // makes, within three standard deviations of such a difference: a path that is noisier than the
    // reference everywhere, and nowhere much, is seen by their number.
    bool good() const;
    void add(const ChoiceRuler& ruler, std::span<const int32_t> chosen);
    std::string words() const;
};

}  // namespace lockstep::test
