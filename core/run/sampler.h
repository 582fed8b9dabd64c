// SPDX-License-Identifier: GPL-3.0-or-later
// From logits to the next token. Filters run in this order: penalties, temperature, top-k, typical,
// top-p, min-p; then one draw. Same seed, same logits, same token, on any machine and thread count:
// double arithmetic in a fixed order, with our own exponential (portable_exp.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/random.h"
#include "kernels/status.h"

namespace lockstep {

// Each filter keeps what transformers' logits warper of that name keeps, and at least one token.
// Where two tokens are equally likely and the border runs between them, the lower id is kept (a
// warper keeps both).
struct SamplingOptions {
    double temperature = 0;  // 0: greedy (penalties apply, filters do not), the first of equals
    int top_k = 0;           // the k most likely; 0: all
    double top_p = 1;        // the fewest most likely whose probabilities sum to p or more; 1: all
    double min_p = 0;        // those at least min_p times as likely as the most likely; 0: all
    // The fewest whose probabilities sum to p or more, those first whose surprise -log P is nearest
    // to the entropy (Meister et al. 2022); 1: all.
    double typical_p = 1;
    double repetition_penalty = 1;  // as transformers': logits > 0 divided, < 0 multiplied
    double presence_penalty = 0;    // as OpenAI's: subtracted once for a token seen
    double frequency_penalty = 0;   // subtracted per time seen
    int penalty_window = 64;        // last tokens that the penalties look at; 0: all
    uint64_t seed = 0;
};

// Not within what the comments above allow (temperature < 0, top_p above 1, NaN, ...): names
// the option.
Status check(const SamplingOptions& options);

struct TokenLogprob {
    int32_t id = 0;
    double logprob = 0;
};

class Sampler {
  public:
    // options: as check() accepts them.
    Sampler(const SamplingOptions& options, int32_t vocab_size);
    // logits: vocab_size of them, or fewer. history: every token so far, prompt included. Allocates
    // nothing after construction. A token whose logit is NaN or -inf is never chosen; those with
    // +inf share all of the probability. No token left to choose: an error.
    Result<int32_t> sample(std::span<const float> logits, std::span<const int32_t> history);
    // What sample() would draw from: the tokens that the filters keep, the most likely first.
    Result<std::vector<TokenLogprob>> distribution(std::span<const float> logits,
                                                   std::span<const int32_t> history);

  private:
    struct Candidate {
        int32_t id = 0;
        double logit = 0;
        double weight = 0;  // exp(logit - largest logit): its probability, not normalised
        double key = 0;     // what typical sorts by
    };
    Status filter(std::span<const float> logits, std::span<const int32_t> history);
    void gather(std::span<const float> logits, std::span<const int32_t> history);
    void gather_first();
    void penalise(std::span<const int32_t> history);
    void weigh();
    double total_weight() const;
    void keep_top_k();
    void keep_typical();
    void keep_top_p();
    void keep_min_p();
    // Keeps the fewest, in the order of `less`, whose weights sum to `mass` or more.
    template <class Less>
    void keep_mass(double mass, Less less);
    int32_t draw();

    SamplingOptions options_;
    Random random_;
    std::vector<Candidate> candidates_;  // before the first filter: by id
    std::vector<double> logits_;         // [vocab_size] after penalties
    std::vector<int32_t> counts_;        // [vocab_size] all zero between two calls
};

// log softmax of the raw logits, the n most likely first (ties: lower id first). NaN is left out.
std::vector<TokenLogprob> top_logprobs(std::span<const float> logits, int n);

}  // namespace lockstep
