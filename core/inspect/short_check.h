// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a path may be used with a model: a comparison with the reference on two short prompts
// that fill no tile, and a decode step after each. It takes seconds and is no proof; `lockstep
// compare` with prompts of one's own is longer and better.
#pragma once

#include "core/inspect/comparison.h"

namespace lockstep {

struct ShortCheckRequest {
    std::shared_ptr<const Model> model;
    KernelPath candidate;  // of the device that the model lies on
    int threads = 0;
    std::function<bool(const CompareProgress&)> progress;  // false cancels
};

Result<Comparison> short_check(const ShortCheckRequest& request);

}  // namespace lockstep
