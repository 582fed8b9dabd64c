// SPDX-License-Identifier: GPL-3.0-or-later
// What a difference between two models' logits means to the user: would it have said another word?
#pragma once

#include <atomic>

#include "kernels/tensor.h"

namespace lockstep {

struct LogitsComparison {
    // Infinite where a logit is finite in only one of the two.
    double max_error = 0;
    double kl = 0;            // KL(reference || candidate), nats, mean over rows; infinite likewise
    double top1_agree = 1;    // share of rows whose largest logit is the same token's
    double top5_overlap = 1;  // of the reference's five largest, the share among the candidate's
    bool allclose_1e3 = true;  // every |a - b| <= 1e-3 + 1e-3 |b|
};

// Both contiguous f32 [rows, V].
// stop: where it becomes true meanwhile, the result says nothing.
LogitsComparison compare_logits(const Tensor& candidate, const Tensor& reference,
                                const std::atomic<bool>* stop = nullptr);

}  // namespace lockstep
