// SPDX-License-Identifier: GPL-3.0-or-later
// From logits to the next token. Filters run in this order: penalties, temperature, top-k, typical,
// top-p, min-p; then one draw. Same seed, same logits, same token, on any machine and thread count.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/run/random.h"

namespace lockstep {

struct SamplingOptions {
    double temperature = 0;  // 0: greedy, the first of equals
    int top_k = 0;           // 0: all
    double top_p = 1;
    double min_p = 0;
    double typical_p = 1;
    double repetition_penalty = 1;  // as transformers': logits > 0 divided, < 0 multiplied
    double presence_penalty = 0;    // as OpenAI's: subtracted once for a token seen
    double frequency_penalty = 0;   // subtracted per time seen
    int penalty_window = 64;        // last tokens that the penalties look at; 0: all
    uint64_t seed = 0;
};

struct TokenLogprob {
    int32_t id = 0;
    double logprob = 0;
};

class Sampler {
  public:
    Sampler(const SamplingOptions& options, int32_t vocab_size);
    // history: every token so far, prompt included. Allocates nothing after construction.
    int32_t sample(std::span<const float> logits, std::span<const int32_t> history);

  private:
    SamplingOptions options_;
    Random random_;
    std::vector<TokenLogprob> candidates_;
    std::vector<int32_t> counts_;
};

// log softmax of the raw logits, the n most likely first (ties: lower id first).
std::vector<TokenLogprob> top_logprobs(std::span<const float> logits, int n);

}  // namespace lockstep
