// SPDX-License-Identifier: GPL-3.0-or-later
// What a difference between two models' logits means to the user: would it have said another word?
#pragma once

#include <atomic>

#include "kernels/tensor.h"

namespace lockstep {

struct LogitsComparison {
    double max_error = 0;
    double kl = 0;          // KL(reference || candidate), nats, mean over rows
    double top1_agree = 1;  // share of rows
    double top5_overlap = 1;
    bool allclose_1e3 = true;
};

// Both contiguous f32 [rows, V].
// stop: where it becomes true meanwhile, the result says nothing.
LogitsComparison compare_logits(const Tensor& candidate, const Tensor& reference,
                                const std::atomic<bool>* stop = nullptr);

}  // namespace lockstep
