// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/run/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/run/portable_exp.h"

namespace lockstep {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// A total order, so that a sort has one result only.
constexpr auto more_likely = [](const auto& a, const auto& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
};

Status check_range(const char* name, double value, double low, double high) {
    if (value >= low && value <= high) return {};
    return fail(ErrorKind::invalid_argument, std::string(name) + " is " + std::to_string(value) +
                                                 "; it must be from " + std::to_string(low) +
                                                 " to " + std::to_string(high));
}

}  // namespace

Status check(const SamplingOptions& options) {
    constexpr double tiny = 1e-6;
    constexpr double most_ids = std::numeric_limits<int>::max();
    if (options.temperature != 0)
        LOCKSTEP_TRY(check_range("temperature", options.temperature, tiny, 100));
    LOCKSTEP_TRY(check_range("top_k", options.top_k, 0, most_ids));
    LOCKSTEP_TRY(check_range("top_p", options.top_p, 0, 1));
    LOCKSTEP_TRY(check_range("min_p", options.min_p, 0, 1));
    LOCKSTEP_TRY(check_range("typical_p", options.typical_p, 0, 1));
    LOCKSTEP_TRY(check_range("repetition_penalty", options.repetition_penalty, tiny, 100));
    LOCKSTEP_TRY(check_range("presence_penalty", options.presence_penalty, -100, 100));
    LOCKSTEP_TRY(check_range("frequency_penalty", options.frequency_penalty, -100, 100));
    return check_range("penalty_window", options.penalty_window, 0, most_ids);
}

Sampler::Sampler(const SamplingOptions& options, int32_t vocab_size)
    : options_(options), random_(options.seed) {
    const auto size = static_cast<size_t>(std::max(vocab_size, 0));
    candidates_.reserve(size);
    logits_.reserve(size);
    counts_.assign(size, 0);
}

Result<int32_t> Sampler::sample(std::span<const float> logits, std::span<const int32_t> history) {
    LOCKSTEP_TRY(filter(logits, history));
    return draw();
}

Result<std::vector<TokenLogprob>> Sampler::distribution(std::span<const float> logits,
                                                        std::span<const int32_t> history) {
    LOCKSTEP_TRY(filter(logits, history));
    std::sort(candidates_.begin(), candidates_.end(), more_likely);
    std::vector<TokenLogprob> kept;
    for (const Candidate& candidate : candidates_)
        kept.push_back({candidate.id, std::log(candidate.weight / total_weight())});
    return kept;
}

Status Sampler::filter(std::span<const float> logits, std::span<const int32_t> history) {
    gather(logits, history);
    if (candidates_.empty())
        return fail(ErrorKind::internal, "no token can be chosen: each of the " +
                                             std::to_string(logits.size()) +
                                             " logits is NaN or -inf");
    keep_top_k();
    weigh();
    keep_typical();
    keep_top_p();
    keep_min_p();
    return {};
}

// Every token that may be chosen, by id, with its logit after penalties and temperature; of greedy
// the one.
void Sampler::gather(std::span<const float> logits, std::span<const int32_t> history) {
    logits = logits.first(std::min(logits.size(), counts_.size()));
    logits_.assign(logits.begin(), logits.end());
    penalise(history);
    candidates_.clear();
    if (options_.temperature == 0) {
        gather_first();
        return;
    }
    double largest = -infinity;
    for (size_t id = 0; id < logits_.size(); ++id) {
        const double logit = logits_[id] / options_.temperature;
        if (!(logit > -infinity)) continue;  // NaN too
        largest = std::max(largest, logit);
        candidates_.push_back({static_cast<int32_t>(id), logit});
    }
    if (largest < infinity) return;
    std::erase_if(candidates_, [](const Candidate& c) { return c.logit < infinity; });
    for (Candidate& candidate : candidates_) candidate.logit = 0;
}

// The most likely; the first of equals. NaN is greater than nothing.
void Sampler::gather_first() {
    double largest = -infinity;
    size_t first = logits_.size();
    for (size_t id = 0; id < logits_.size(); ++id) {
        if (!(logits_[id] > largest)) continue;
        largest = logits_[id];
        first = id;
    }
    if (first == logits_.size()) return;
    candidates_.push_back({static_cast<int32_t>(first), largest < infinity ? largest : 0});
}

void Sampler::penalise(std::span<const int32_t> history) {
    const SamplingOptions& o = options_;
    if (o.repetition_penalty == 1 && o.presence_penalty == 0 && o.frequency_penalty == 0) return;
    const auto window = static_cast<size_t>(o.penalty_window);
    if (window > 0 && window < history.size()) history = history.last(window);
    const auto known = [this](int32_t id) {
        return id >= 0 && static_cast<size_t>(id) < logits_.size();
    };
    for (const int32_t id : history)
        if (known(id)) ++counts_[static_cast<size_t>(id)];
    for (const int32_t id : history) {
        if (!known(id)) continue;
        int32_t& count = counts_[static_cast<size_t>(id)];
        if (count == 0) continue;  // done at its first occurrence
        double& logit = logits_[static_cast<size_t>(id)];
        logit = logit < 0 ? logit * o.repetition_penalty : logit / o.repetition_penalty;
        logit -= o.presence_penalty + o.frequency_penalty * count;
        count = 0;
    }
}

void Sampler::weigh() {
    double largest = -infinity;
    for (const Candidate& candidate : candidates_) largest = std::max(largest, candidate.logit);
    logits_.clear();  // no longer needed as such
    for (const Candidate& candidate : candidates_) logits_.push_back(candidate.logit - largest);
    portable_exp(logits_);
    for (size_t i = 0; i < candidates_.size(); ++i) candidates_[i].weight = logits_[i];
}

double Sampler::total_weight() const {
    double total = 0;
    for (const Candidate& candidate : candidates_) total += candidate.weight;
    return total;
}

void Sampler::keep_top_k() {
    const auto k = static_cast<size_t>(options_.top_k);
    if (k == 0 || k >= candidates_.size()) return;
    std::partial_sort(candidates_.begin(), candidates_.begin() + options_.top_k, candidates_.end(),
                      more_likely);
    candidates_.resize(k);
}

// Surprise is log Z - logit and entropy is its mean, so log Z falls out of their difference.
void Sampler::keep_typical() {
    if (options_.typical_p == 1) return;
    const double total = total_weight();
    double mean = 0;
    for (const Candidate& candidate : candidates_) mean += candidate.weight * candidate.logit;
    mean /= total;
    for (Candidate& candidate : candidates_) candidate.key = std::abs(candidate.logit - mean);
    keep_mass(options_.typical_p * total, [](const Candidate& a, const Candidate& b) {
        return a.key != b.key ? a.key < b.key : a.id < b.id;
    });
}

void Sampler::keep_top_p() {
    if (options_.top_p == 1) return;
    keep_mass(options_.top_p * total_weight(), more_likely);
}

// Sorts only as far as needed: a few tokens hold most of the mass.
template <class Less>
void Sampler::keep_mass(double mass, Less less) {
    const size_t count = candidates_.size();
    double sum = 0;
    size_t sorted = 0;
    for (size_t i = 0; i < count; ++i) {
        if (i == sorted) {
            sorted = std::min(count, std::max<size_t>(64, sorted * 4));
            const auto at = [this](size_t n) {
                return candidates_.begin() + static_cast<std::ptrdiff_t>(n);
            };
            std::partial_sort(at(i), at(sorted), at(count), less);
        }
        sum += candidates_[i].weight;
        if (sum >= mass) {
            candidates_.resize(i + 1);
            return;
        }
    }
}

void Sampler::keep_min_p() {
    if (options_.min_p == 0) return;
    double largest = 0;  // below 1 where typical left the most likely out
    for (const Candidate& candidate : candidates_) largest = std::max(largest, candidate.weight);
    const double least = options_.min_p * largest;
    std::erase_if(candidates_, [least](const Candidate& c) { return c.weight < least; });
}

int32_t Sampler::draw() {
    const double target = random_.uniform() * total_weight();
    double sum = 0;
    for (const Candidate& candidate : candidates_) {
        sum += candidate.weight;
        if (target < sum) return candidate.id;
    }
    return candidates_.back().id;  // not reached: uniform() < 1
}

std::vector<TokenLogprob> top_logprobs(std::span<const float> logits, int n) {
    double largest = -infinity;
    for (const float logit : logits) largest = std::max(largest, static_cast<double>(logit));
    double total = 0;
    std::vector<TokenLogprob> all;
    all.reserve(logits.size());
    for (size_t id = 0; id < logits.size(); ++id) {
        if (std::isnan(logits[id])) continue;
        const double below = logits[id] == largest ? 0.0 : logits[id] - largest;
        total += portable_exp(below);
        all.push_back({static_cast<int32_t>(id), below});
    }
    const size_t count = std::min(all.size(), static_cast<size_t>(std::max(n, 0)));
    std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count), all.end(),
                      [](const TokenLogprob& a, const TokenLogprob& b) {
                          return a.logprob != b.logprob ? a.logprob > b.logprob : a.id < b.id;
                      });
    all.resize(count);
    for (TokenLogprob& entry : all) entry.logprob -= std::log(total);
    return all;
}

}  // namespace lockstep
