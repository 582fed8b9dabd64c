// SPDX-License-Identifier: GPL-3.0-or-later
// One tap, held against the reference's and truth's from the same inputs. Internal to
// compare_paths().
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/inspect/comparison.h"

namespace lockstep {

// What a path puts out at a step, its unfused outputs where it writes them.
inline std::vector<NamedTensor> taps_of(const KernelPath& path, const StepArgs& args) {
    const auto bit = static_cast<int>(step_id(args));
    return step_taps(args, (path.writes_unfused_outputs >> bit) & 1);
}

// Null where there is none of that name.
inline const Tensor* tap_of(const std::vector<NamedTensor>& taps, std::string_view name) {
    for (const NamedTensor& tap : taps) {
        if (tap.name == name) return &tap.tensor;
    }
    return nullptr;
}

// All of one shape.
struct TapTensors {
    Tensor tested, noisy, exact;  // by candidate, floor and truth
};

// drift and position are left to the caller, who knows the rows.
inline TapComparison compare_tap(std::string tensor, const TapTensors& tensors,
                                 const CompareRequest& request) {
    TapComparison tap;
    tap.tensor = std::move(tensor);
    tap.local = compare_tensors(tensors.tested,
                                request.reference.f32_activations ? tensors.exact : tensors.noisy,
                                request.cancel);
    tap.verdict =
        judge(tensors.tested, tensors.noisy, tensors.exact, request.model->dtype, request.cancel);
    tap.noise_floor = tap.verdict.reference;
    tap.allclose_1e3 = tap.local.within_1e3 >= 1 && !tap.local.non_finite;
    return tap;
}

// A second opinion on the taps of a step that diverged: the reference is one sample of what
// rounding costs, and may have been lucky. They stay condemned only if they break the rule against
// several (nudged_runs.h), too. Call before the runs' weights leave the stream's device.
Status reconsider(StepComparison& step, const StepRuns& runs, const CompareRequest& request,
                  Stream& stream);

// The step becomes `first`, where that is wanted and empty still, and some tap of it diverged.
Status keep_first_step(std::optional<StepCase>* first, const PassComparison& pass, int layer,
                       const StepComparison& step, StepRuns runs, Stream& stream);
// Tells how far the comparison is; an error where it is to stop.
Status tell_progress(const CompareRequest& request, int layer, StepId step, double share);

// In the conversation, of the row with the largest error.
inline int64_t worst_position(const PassComparison& pass, const TapComparison& tap,
                              const Tensor& own) {
    const int64_t rows = own.shape[0];
    const int64_t row =
        tap.verdict.candidate.worst_index / std::max<int64_t>(1, own.numel() / rows);
    return pass.first_row + pass.rows - rows + row;
}

}  // namespace lockstep
