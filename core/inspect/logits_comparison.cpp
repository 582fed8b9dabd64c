// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/logits_comparison.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "core/inspect/verdict.h"

namespace lockstep {
namespace {

// softmax in double; logits [V].
std::vector<double> log_softmax(std::span<const float> logits) {
    double largest = -INFINITY;
    for (const float logit : logits) largest = std::max(largest, static_cast<double>(logit));
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
    std::vector<double> result;
    result.reserve(logits.size());
    for (const float logit : logits)
        result.push_back(static_cast<double>(logit) - largest - std::log(sum));
    return result;
}

// The largest first, of equal ones the one with the lowest id. NaN is no choice before any number.
std::vector<size_t> five_best(std::span<const float> logits) {
    const auto before = [&](size_t a, size_t b) {
        if (std::isnan(logits[a]) || std::isnan(logits[b]))
            return std::isnan(logits[a]) == std::isnan(logits[b]) ? a < b : std::isnan(logits[b]);
        return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
    };
    std::vector<size_t> order(logits.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const size_t count = std::min<size_t>(5, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<int64_t>(count), order.end(),
                      before);
    order.resize(count);
    return order;
}

}  // namespace

LogitsComparison compare_logits(const Tensor& candidate, const Tensor& reference,
                                const std::atomic<bool>* stop) {
    LogitsComparison result;
    const int64_t rows = reference.shape[0];
    const auto vocab_size = static_cast<size_t>(reference.shape[1]);
    const ErrorFigures figures = compare_tensors(candidate, reference, stop);
    result.max_error = figures.non_finite ? INFINITY : figures.max_abs;
    result.allclose_1e3 = figures.within_1e3 >= 1 && !figures.non_finite;
    double kl = 0, top1 = 0, top5 = 0;
    for (int64_t row = 0; row < rows; ++row) {
        if (stop && *stop) break;
        const std::span<const float> q(candidate.rows(row, 1).as<float>(), vocab_size);
        const std::span<const float> p(reference.rows(row, 1).as<float>(), vocab_size);
        const auto log_p = log_softmax(p), log_q = log_softmax(q);
        for (size_t i = 0; i < vocab_size; ++i) {
            if (log_p[i] > -100) kl += std::exp(log_p[i]) * (log_p[i] - log_q[i]);
        }
        const auto best_p = five_best(p), best_q = five_best(q);
        top1 += best_p[0] == best_q[0];
        for (const size_t id : best_p)
            top5 +=
                std::count(best_q.begin(), best_q.end(), id) / static_cast<double>(best_p.size());
    }
    const auto count = static_cast<double>(rows);
    result.kl = std::isnan(kl) ? INFINITY : kl / count;
    result.top1_agree = top1 / count;
    result.top5_overlap = top5 / count;
    return result;
}

}  // namespace lockstep
