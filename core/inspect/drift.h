// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a candidate that feeds itself ends further from truth than rounding carries anyone:
// then something is handed from step to step that no step is wrong in, a row of the KV cache or a
// position. Internal to compare_paths().
//
// Roundings that differ in order grow apart by chance, and where one channel outweighs all others
// (SmolLM2's massive activations), one of two honest paths may be 13 times as far from truth as the
// other. So no constant is asked, but the prompt itself: how far the floor's path drifts on it, and
// where the candidate is further than that, how far others do that round as honestly and otherwise
// (rounding_path, nudged_runs.h).
#pragma once

#include <functional>
#include <span>

#include "core/inspect/comparison.h"

namespace lockstep {

// The candidate's logits of a pass's last row, [1, V], host-readable while `buffers` live;
// undefined where it has none.
using OwnLogits =
    std::function<Result<Tensor>(int pass, std::vector<Buffer>& buffers, Stream& stream)>;

// True where in some pass the RMS of (candidate - truth) over the last row's logits is more than
// twice the largest of (floor - truth) and of eight honest samples' (sample - truth), each path
// having fed itself from the prompt on. Samples are only run while that is so.
Result<bool> drifts_beyond_rounding(const CompareRequest& request, std::span<const int32_t> prompt,
                                    std::span<const int32_t> forced, const OwnLogits& own);

}  // namespace lockstep
