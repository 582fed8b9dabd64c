// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/trace_comparison.h"

#include <algorithm>
#include <chrono>

#include "core/inspect/drift.h"
#include "core/inspect/local_observer.h"
#include "core/inspect/missing_taps.h"
#include "core/inspect/passes.h"
#include "core/inspect/tap_comparison.h"
#include "core/inspect/trace.h"
#include "core/inspect/trace_steps.h"
#include "core/run/forward.h"
#include "kernels/step_transfer.h"

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;

class TraceObserver final : public StepObserver {
  public:
    TraceObserver(const CompareRequest& request, std::optional<StepCase>* first_step,
                  size_t steps_in_all)
        : request_(request),
          trace_(*request.trace),
          steps_(request, *request.trace),
          first_step_(first_step),
          steps_in_all_(steps_in_all) {}

    void begin(PassComparison& pass) {
        pass_ = &pass;
        steps_.begin(pass.pass, pass.first_row, pass.rows);
    }
    std::vector<std::string> missing() const { return missing_.words(); }

    Status after_step(const StepArgs& args, bool unfused_outputs, Stream& stream) override {
        LOCKSTEP_ASSIGN(StepRuns runs, steps_.run(args, stream));
        const int layer = step_context(args).layer;
        StepComparison step;
        step.step = step_id(args);
        step.input_drift = drift_.of(args);
        step.input =
            input_state(step.input_drift, request_.model->dtype, steps_before(layer, step.step));
        step.computed_inputs = steps_.computed_inputs();
        const auto tested = step_taps(runs.candidate.args, true);
        const auto noisy = taps_of(request_.floor, runs.reference.args);
        const auto exact = taps_of(request_.truth, runs.truth.args);
        for (NamedTensor own : step_taps(args, unfused_outputs)) {
            std::vector<Buffer> copies;  // where the host cannot read the device's memory
            LOCKSTEP_ASSIGN(own.tensor, bring_to_host(own.tensor, copies, stream));
            Buffer memory;
            LOCKSTEP_ASSIGN(const Tensor stored,
                            steps_.stored(layer, step.step, own.name, own.tensor.shape[0], memory));
            const Tensor* const floor = tap_of(noisy, own.name);
            const Tensor* const truth = tap_of(exact, own.name);
            if (stored.defined() && floor && truth) {
                step.taps.push_back(
                    compare(layer, step.step, own, {*tap_of(tested, own.name), *floor, *truth}));
                continue;
            }
            step.only_in_one.emplace_back(own.name);
            const bool stored_for_other_rows =
                trace_.find(pass_->pass, layer, step.step, own.name) != nullptr;
            if (own.role == Role::output && !stored_for_other_rows)
                missing_.add(pass_->pass, layer, step.step, own.name);
        }
        LOCKSTEP_TRY(reconsider(step, runs, request_, stream));
        LOCKSTEP_TRY(keep_first_step(first_step_, *pass_, layer, step, std::move(runs), stream));
        if (pass_->layers.empty() || pass_->layers.back().layer != layer)
            pass_->layers.push_back({layer, {}});
        pass_->layers.back().steps.push_back(std::move(step));
        return tell_progress(
            request_, layer, step_id(args),
            static_cast<double>(++steps_done_) / static_cast<double>(steps_in_all_));
    }

  private:
    TapComparison compare(int layer, StepId step, const NamedTensor& own,
                          const TapTensors& tensors) {
        TapComparison tap = compare_tap(std::string(own.name), tensors, request_);
        tap.position = worst_position(*pass_, tap, own.tensor);
        tap.drift = compare_tensors(tensors.tested, own.tensor, request_.cancel);
        drift_.note(layer, own.name, tap.drift);
        if (step == StepId::logits && own.name == "logits")
            pass_->logits = compare_logits(tensors.tested, own.tensor, request_.cancel);
        return tap;
    }

    const CompareRequest& request_;
    const Trace& trace_;
    TraceSteps steps_;
    std::optional<StepCase>* first_step_;
    size_t steps_in_all_, steps_done_ = 0;
    PassComparison* pass_ = nullptr;
    InputDrift drift_;
    MissingTaps missing_;
};

// Keeps one step as it was run.
class TraceStepKeeper final : public StepObserver {
  public:
    TraceStepKeeper(const CompareRequest& request, const Divergence& where)
        : steps_(request, *request.trace), where_(where) {}

    void begin(int pass, int64_t first_row, int64_t rows) {
        steps_.begin(pass, first_row, rows);
        wanted_ = pass == where_.pass && where_.position >= first_row &&
                  where_.position < first_row + rows;
    }
    std::optional<StepCase>& found() { return found_; }

    Status after_step(const StepArgs& args, bool, Stream& stream) override {
        LOCKSTEP_ASSIGN(StepRuns runs, steps_.run(args, stream));
        if (!wanted_ || step_context(args).layer != where_.layer || step_id(args) != where_.step)
            return {};
        LOCKSTEP_TRY(keep_constants(runs, stream));
        found_ = StepCase{where_, std::move(runs)};
        return fail(ErrorKind::cancelled, "the step was found");
    }

  private:
    TraceSteps steps_;
    const Divergence& where_;
    bool wanted_ = false;
    std::optional<StepCase> found_;
};

std::string prompt_text(const std::vector<int32_t>& ids) {
    std::string text = std::to_string(ids.size()) + (ids.size() == 1 ? " token: " : " tokens: ");
    for (size_t i = 0; i < std::min<size_t>(ids.size(), 8); ++i)
        text += (i ? ", " : "") + std::to_string(ids[i]);
    return text + (ids.size() > 8 ? ", ..." : "");
}

// What the trace was fed, and the reference's session that is fed the same.
struct Feed {
    std::vector<int32_t> prompt, forced;
    bool all_logits = false;
    std::unique_ptr<Session> session;
};

Status check_request(const CompareRequest& request) {
    const Trace& trace = *request.trace;
    const std::string where = "trace " + trace.file().string() + ": ";
    LOCKSTEP_TRY(trace.check_against(*request.model));
    if (request.prompts.size() > 1) {
        return fail(ErrorKind::invalid_argument,
                    where + "it has one prompt, not " + std::to_string(request.prompts.size()));
    }
    if (request.prompts.size() == 1 && request.prompts.front() != trace.prompt_ids()) {
        return fail(ErrorKind::invalid_argument,
                    where + "of another prompt: it has " + prompt_text(trace.prompt_ids()) +
                        "; asked for are " + prompt_text(request.prompts.front()) +
                        ". Leave the prompt out to take the trace's");
    }
    const auto steps = static_cast<int>(trace.decode_ids().size());
    if (request.decode_steps <= steps) return {};
    return fail(ErrorKind::invalid_argument, where + "it has " + std::to_string(steps) +
                                                 " decode steps, not " +
                                                 std::to_string(request.decode_steps));
}

Result<Feed> make_feed(const CompareRequest& request) {
    LOCKSTEP_TRY(check_request(request));
    const Trace& trace = *request.trace;
    Feed feed;
    feed.prompt = trace.prompt_ids();
    feed.forced = trace.decode_ids();
    if (request.decode_steps > 0) feed.forced.resize(static_cast<size_t>(request.decode_steps));
    const auto rows = static_cast<int64_t>(feed.prompt.size());
    const StoredTensor* const logits = trace.find(0, trace_logits, StepId::logits, "logits");
    feed.all_logits =
        logits && logits->shape[0] == rows && keeps_all_logits(request.model->config, rows);
    LOCKSTEP_ASSIGN(feed.session,
                    comparison_session(request, rows + static_cast<int64_t>(feed.forced.size())));
    return feed;
}

// What the trace says at the end of each pass, against how far honest rounding carries a path.
Result<bool> trace_drifts(const CompareRequest& request, const Feed& feed) {
    return drifts_beyond_rounding(
        request, feed.prompt, feed.forced,
        [&](int pass, std::vector<Buffer>& buffers, Stream&) -> Result<Tensor> {
            const StoredTensor* const logits =
                request.trace->find(pass, trace_logits, StepId::logits, "logits");
            if (!logits) return Tensor();
            Buffer buffer;
            LOCKSTEP_ASSIGN(const Tensor last,
                            Trace::rows(*logits, logits->shape[0] - 1, 1, buffer));
            buffers.push_back(std::move(buffer));
            return last;
        });
}

bool judged_something(const Comparison& comparison) {
    for (const PassComparison& pass : comparison.passes) {
        for (const LayerComparison& layer : pass.layers) {
            for (const StepComparison& step : layer.steps) {
                if (!step.taps.empty()) return true;
            }
        }
    }
    return false;
}

}  // namespace

Result<Comparison> compare_trace(const CompareRequest& request,
                                 std::optional<StepCase>* first_step) {
    const Clock::time_point begin = Clock::now();
    LOCKSTEP_ASSIGN(const Feed feed, make_feed(request));
    Comparison result;
    result.model = request.model->name;
    result.device = device_of(*request.model).name();
    result.dtype = dtype_info(request.model->dtype).name;
    result.candidate = request.candidate.name;
    result.reference = request.reference.name;
    result.prompts = {feed.prompt};
    const auto largest = static_cast<size_t>(feed.session->max_batch());
    const size_t batches = (feed.prompt.size() + largest - 1) / largest + feed.forced.size();
    const auto steps = static_cast<size_t>(request.model->config.num_hidden_layers) * 5 + 2;
    TraceObserver observer(request, first_step, steps * batches);
    LOCKSTEP_TRY(
        for_each_pass(*feed.session, feed.prompt, feed.forced,
                      [&](int pass, std::span<const int32_t> batch) -> Status {
                          PassComparison compared;
                          compared.pass = pass;
                          compared.first_row = static_cast<int64_t>(feed.session->tokens().size());
                          compared.rows = static_cast<int64_t>(batch.size());
                          observer.begin(compared);
                          LOCKSTEP_TRY(Forward::run(*feed.session, request.reference, batch,
                                                    {request.cancel, &observer, feed.all_logits}));
                          result.passes.push_back(std::move(compared));
                          return {};
                      }));
    result.missing = observer.missing();
    if (!judged_something(result)) {
        return fail(ErrorKind::invalid_argument, "trace " + request.trace->file().string() +
                                                     ": none of its tensors can be judged");
    }
    find_first_divergence(result);
    if (!result.first) {
        LOCKSTEP_ASSIGN(result.drift_unexplained, trace_drifts(request, feed));
    }
    result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return result;
}

Result<StepCase> reopen_trace_step(const CompareRequest& request, const Divergence& where) {
    LOCKSTEP_ASSIGN(const Feed feed, make_feed(request));
    TraceStepKeeper keeper(request, where);
    const Status ran =
        for_each_pass(*feed.session, feed.prompt, feed.forced,
                      [&](int pass, std::span<const int32_t> batch) -> Status {
                          keeper.begin(pass, static_cast<int64_t>(feed.session->tokens().size()),
                                       static_cast<int64_t>(batch.size()));
                          return Forward::run(*feed.session, request.reference, batch,
                                              {request.cancel, &keeper, feed.all_logits})
                              .map([](const Tensor&) {});
                      });
    if (keeper.found()) return std::move(*keeper.found());
    if (!ran) return tl::unexpected<Error>(ran.error());
    return fail(ErrorKind::invalid_argument, "this comparison has no such step");
}

}  // namespace lockstep
