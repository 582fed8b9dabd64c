// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/local_observer.h"

#include "kernels/step_transfer.h"

namespace lockstep {
namespace {

bool bigger(const ErrorFigures& a, const ErrorFigures& b) {
    if (a.non_finite != b.non_finite) return a.non_finite;
    return a.max_abs > b.max_abs;
}

}  // namespace

void InputDrift::note(int layer, std::string_view tap, const ErrorFigures& drift) {
    // The cache keeps what was appended to it; everything else is overwritten.
    const bool cached = tap == "k" || tap == "v";
    ErrorFigures& kept =
        worst_[cached ? std::string(tap) + std::to_string(layer) : std::string(tap)];
    if (!cached || bigger(drift, kept)) kept = drift;
}

ErrorFigures InputDrift::of(const StepArgs& args) const {
    ErrorFigures worst;
    for (const NamedTensor& tensor : step_tensors(args)) {
        if (tensor.role == Role::input) take(std::string(tensor.name), worst);
    }
    if (step_id(args) == StepId::attention) {
        const std::string layer = std::to_string(step_context(args).layer);
        take("k" + layer, worst);
        take("v" + layer, worst);
    }
    return worst;
}

void InputDrift::take(const std::string& name, ErrorFigures& worst) const {
    const auto found = worst_.find(name);
    if (found != worst_.end() && bigger(found->second, worst)) worst = found->second;
}

void LocalObserver::begin(PassComparison& pass) {
    if (pass.pass != pass_number_) rows_seen_.clear();
    pass_number_ = pass.pass;
    pass_ = &pass;
}

Status LocalObserver::after_step(const StepArgs& args, bool unfused_outputs, Stream& stream) {
    LOCKSTEP_ASSIGN(StepRuns runs, run_step_on_all({request_.candidate, request_.floor,
                                                    request_.truth, request_.model->dtype},
                                                   args, stream));
    const int layer = step_context(args).layer;
    StepComparison step;
    step.step = step_id(args);
    step.input_drift = drift_.of(args);
    step.input =
        input_state(step.input_drift, request_.model->dtype, steps_before(layer, step.step));
    const auto candidate = taps_of(request_.candidate, runs.candidate.args);
    const auto floor = taps_of(request_.floor, runs.reference.args);
    const auto truth = taps_of(request_.truth, runs.truth.args);
    for (NamedTensor own : step_taps(args, unfused_outputs)) {
        std::vector<Buffer> copies;  // where the host cannot read the device's memory
        LOCKSTEP_ASSIGN(own.tensor, bring_to_host(own.tensor, copies, stream));
        const Tensor* const tested = tap_of(candidate, own.name);
        const Tensor* const noisy = tap_of(floor, own.name);
        const Tensor* const exact = tap_of(truth, own.name);
        if (tested && noisy && exact) {
            LOCKSTEP_ASSIGN(const Tensor drifted,
                            bring_to_host(candidate_rows(layer, step.step, own), copies, stream));
            step.taps.push_back(
                compare_tap(layer, step.step, own, drifted, {*tested, *noisy, *exact}));
        } else {
            step.only_in_one.emplace_back(own.name);
        }
    }
    LOCKSTEP_TRY(reconsider(step, runs, request_, stream));
    LOCKSTEP_TRY(plant_.after_step(layer, step, runs, stream));
    LOCKSTEP_TRY(keep_first_step(first_step_, *pass_, layer, step, std::move(runs), stream));
    if (pass_->layers.empty() || pass_->layers.back().layer != layer)
        pass_->layers.push_back({layer, {}});
    const bool parted = std::any_of(step.taps.begin(), step.taps.end(),
                                    [](const auto& tap) { return tap.verdict.diverged; });
    pass_->layers.back().steps.push_back(std::move(step));
    enough_ = request_.first_only && parted;
    if (enough_) return fail(ErrorKind::cancelled, "the first divergence was found");
    return tell_progress(request_, layer, step_id(args),
                         static_cast<double>(++steps_done_) / static_cast<double>(steps_in_all_));
}

TapComparison LocalObserver::compare_tap(int layer, StepId step, const NamedTensor& own,
                                         const Tensor& drifted, const TapTensors& local) {
    TapComparison tap = lockstep::compare_tap(std::string(own.name), local, request_);
    tap.position = worst_position(*pass_, tap, own.tensor);
    if (drifted.defined()) {
        tap.drift = compare_tensors(drifted, own.tensor, request_.cancel);
        drift_.note(layer, own.name, tap.drift);
        if (step == StepId::logits && own.name == "logits")
            pass_->logits = compare_logits(drifted, own.tensor, request_.cancel);
    }
    return tap;
}

// What the candidate, feeding itself, put out in the rows of this batch.
Tensor LocalObserver::candidate_rows(int layer, StepId step, const NamedTensor& own) {
    const TapRecord* const record = candidate_.find(pass_number_, layer, step, own.name);
    if (!record) return {};
    int64_t& seen = rows_seen_[{layer, step, std::string(own.name)}];
    const int64_t rows = own.tensor.shape[0];
    const Tensor batch = record->tensor.rows(seen, rows);
    seen += rows;
    return batch;
}

}  // namespace lockstep
