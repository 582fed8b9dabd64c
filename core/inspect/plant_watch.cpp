// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/plant_watch.h"

#include <algorithm>
#include <limits>

#include "core/inspect/tap_comparison.h"

namespace lockstep {
namespace {

bool diverged(const StepComparison& step) {
    return std::any_of(step.taps.begin(), step.taps.end(),
                       [](const TapComparison& tap) { return tap.verdict.diverged; });
}

// From what hides a fault most to what shows it: of several passes the last of these counts.
PlantOutcome plainer(PlantOutcome a, PlantOutcome b) {
    return std::min(a, b);
}

double times(double error, double floor) {
    if (error == 0) return 0;
    return floor > 0 ? error / floor : std::numeric_limits<double>::infinity();
}

}  // namespace

std::string_view outcome_name(PlantOutcome outcome) {
    switch (outcome) {
        case PlantOutcome::found:
            return "found";
        case PlantOutcome::missed:
            return "missed";
        case PlantOutcome::under_floor:
            return "under_floor";
        case PlantOutcome::no_effect:
            return "no_effect";
    }
    return "";
}

std::string_view PlantedFault::shows_with() const {
    const FaultInfo* const known = find_fault(fault.name);
    return known && outcome == PlantOutcome::no_effect ? known->shows_with : std::string_view();
}

PlantWatch::PlantWatch(const CompareRequest& request) : request_(request) {
    if (!request.plant) return;
    if (const FaultInfo* const known = find_fault(request.plant->fault.name)) step_ = known->step;
}

Status PlantWatch::after_step(int layer, const StepComparison& step, StepRuns& runs,
                              Stream& stream) {
    if (!request_.plant || layer != request_.plant->fault.layer || step.step != step_) return {};
    if (!outcome_) outcome_ = PlantedFault{request_.plant->fault};
    if (diverged(step)) outcome_->outcome = PlantOutcome::found;
    if (outcome_->outcome == PlantOutcome::found) return {};
    return weigh(runs, stream);
}

Status PlantWatch::weigh(StepRuns& runs, Stream& stream) {
    LOCKSTEP_ASSIGN(SampleStep planted,
                    run_step_after_other_inputs(request_.plant->truth, runs.truth.args,
                                                request_.model->dtype, stream));
    std::swap(runs.candidate, planted);
    Status judged = judge_truth(runs, stream);
    std::swap(runs.candidate, planted);
    return judged;
}

// By the same rule as a candidate.
Status PlantWatch::judge_truth(StepRuns& runs, Stream& stream) {
    const auto tested = taps_of(request_.plant->truth, runs.candidate.args);
    const auto noisy = taps_of(request_.floor, runs.reference.args);
    const auto exact = taps_of(request_.truth, runs.truth.args);
    StepComparison step;
    step.step = step_;
    for (const NamedTensor& tap : tested) {
        const Tensor* const floor = tap_of(noisy, tap.name);
        const Tensor* const truth = tap_of(exact, tap.name);
        if (floor && truth)
            step.taps.push_back(
                compare_tap(std::string(tap.name), {tap.tensor, *floor, *truth}, request_));
    }
    LOCKSTEP_TRY(reconsider(step, runs, request_, stream));
    double most = 0;
    for (const TapComparison& tap : step.taps)
        most = std::max(most, times(tap.verdict.candidate.max_abs, tap.noise_floor.max_abs));
    outcome_->times_floor = std::max(outcome_->times_floor, most);
    outcome_->outcome = plainer(outcome_->outcome, diverged(step) ? PlantOutcome::missed
                                                   : most > 0     ? PlantOutcome::under_floor
                                                                  : PlantOutcome::no_effect);
    return {};
}

}  // namespace lockstep
