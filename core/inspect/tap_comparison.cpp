// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/tap_comparison.h"

#include "core/inspect/nudged_runs.h"

namespace lockstep {
namespace {

constexpr int most_samples = 8;

// Nothing that rounding could do: no second opinion is needed.
bool beyond_doubt(const Verdict& verdict) {
    constexpr double far = 100, parted = 0.99;
    return verdict.candidate.non_finite ||
           (verdict.candidate.rms > far * verdict.reference.rms && verdict.reference.rms > 0 &&
            verdict.candidate.cosine < parted);
}

bool in_doubt(const TapComparison& tap) {
    return tap.verdict.diverged && !beyond_doubt(tap.verdict);
}

}  // namespace

Status reconsider(StepComparison& step, const StepRuns& runs, const CompareRequest& request,
                  Stream& stream) {
    const DType dtype = request.model->dtype;
    const auto candidate = step_taps(runs.candidate.args, true);
    const auto reference = taps_of(request.floor, runs.reference.args);
    const auto truth = taps_of(request.truth, runs.truth.args);
    std::vector<SampleStep> samples;
    for (TapComparison& tap : step.taps) {
        for (size_t used = 1; in_doubt(tap) && used <= most_samples; ++used) {
            if (samples.size() < used) {
                LOCKSTEP_ASSIGN(SampleStep sample,
                                run_nudged(request.truth, runs.truth.args, dtype, used, stream));
                samples.push_back(std::move(sample));
            }
            std::vector<Tensor> noise{*tap_of(reference, tap.tensor)};
            for (size_t i = 0; i < used; ++i)
                noise.push_back(*tap_of(taps_of(request.truth, samples[i].args), tap.tensor));
            tap.verdict = judge(*tap_of(candidate, tap.tensor), noise, *tap_of(truth, tap.tensor),
                                dtype, request.cancel);
        }
    }
    return {};
}

Status keep_first_step(std::optional<StepCase>* first, const PassComparison& pass, int layer,
                       const StepComparison& step, StepRuns runs, Stream& stream) {
    if (!first || first->has_value()) return {};
    for (const TapComparison& tap : step.taps) {
        if (!tap.verdict.diverged) continue;
        LOCKSTEP_TRY(keep_constants(runs, stream));
        *first = StepCase{{pass.prompt, pass.pass, layer, step.step, tap.tensor, tap.position},
                          std::move(runs)};
        return {};
    }
    return {};
}

Status tell_progress(const CompareRequest& request, int layer, StepId step, double share) {
    const auto stopped = [] { return fail(ErrorKind::cancelled, "the comparison was stopped"); };
    if (request.cancel && *request.cancel) return stopped();
    if (!request.progress) return {};
    const bool go_on = request.progress(
        {"layer " + std::to_string(layer) + ", " + std::string(step_name(step)), share});
    return go_on ? Status() : stopped();
}

}  // namespace lockstep
