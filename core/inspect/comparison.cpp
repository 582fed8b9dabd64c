// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/comparison.h"

#include <algorithm>
#include <chrono>

#include "core/inspect/drift.h"
#include "core/inspect/local_observer.h"
#include "core/inspect/passes.h"
#include "core/inspect/probe.h"
#include "core/inspect/trace_comparison.h"
#include "core/run/forward.h"
#include "core/run/session.h"
#include "kernels/step_transfer.h"

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;

// Keeps one step of the reference's pass, run by all.
class StepKeeper final : public StepObserver {
  public:
    StepKeeper(const CompareRequest& request, const Divergence& where)
        : request_(request), where_(where) {}

    void begin(int pass, int64_t first_row, int64_t rows) {
        wanted_pass_ = pass == where_.pass && where_.position >= first_row &&
                       where_.position < first_row + rows;
    }
    std::optional<StepCase>& found() { return found_; }

    Status after_step(const StepArgs& args, bool, Stream& stream) override {
        if (!wanted_pass_ || step_context(args).layer != where_.layer ||
            step_id(args) != where_.step)
            return {};
        LOCKSTEP_ASSIGN(StepRuns runs, run_step_on_all({request_.candidate, request_.floor,
                                                        request_.truth, request_.model->dtype},
                                                       args, stream));
        LOCKSTEP_TRY(keep_constants(runs, stream));
        found_ = StepCase{where_, std::move(runs)};
        return fail(ErrorKind::cancelled, "the step was found");  // nothing after it matters
    }

  private:
    const CompareRequest& request_;
    const Divergence& where_;
    bool wanted_pass_ = false;
    std::optional<StepCase> found_;
};

class Run {
  public:
    explicit Run(const CompareRequest& request, std::optional<StepCase>* first_step = nullptr)
        : request_(request),
          config_(request.model->config),
          plant_(request),
          first_step_(first_step) {}

    Status prompt(size_t index, Comparison& result) {
        const std::vector<int32_t>& tokens = request_.prompts[index];
        LOCKSTEP_TRY(check_length(*request_.model, tokens.size(), request_.decode_steps));
        prepare(tokens);
        LOCKSTEP_ASSIGN(const std::vector<int32_t> forced, reference_tokens(tokens));
        LOCKSTEP_ASSIGN(const std::unique_ptr<Probe> own, candidate_pass(tokens, forced));
        const size_t passes_before = result.passes.size();
        LOCKSTEP_TRY(reference_pass(index, tokens, forced, *own, result));
        const bool parted = std::any_of(result.passes.begin() + static_cast<int64_t>(passes_before),
                                        result.passes.end(),
                                        [](const PassComparison& pass) { return pass.diverged(); });
        if (parted) return {};
        const auto last_layer = static_cast<int>(config_.num_hidden_layers);
        const OwnLogits logits = [&](int pass, std::vector<Buffer>& buffers, Stream& stream) {
            const Tensor& all = own->find(pass, last_layer, StepId::logits, "logits")->tensor;
            return bring_to_host(all.rows(all.shape[0] - 1, 1), buffers, stream);
        };
        LOCKSTEP_ASSIGN(const bool strange,
                        drifts_beyond_rounding(request_, tokens, forced, logits));
        result.drift_unexplained = result.drift_unexplained || strange;
        return {};
    }

    const std::optional<PlantedFault>& planted() const { return plant_.outcome(); }

    // The step of `where`, seen by an observer that keeps it.
    Result<StepCase> reopen(const Divergence& where) {
        const std::vector<int32_t>& tokens = request_.prompts[where.prompt];
        LOCKSTEP_TRY(check_length(*request_.model, tokens.size(), request_.decode_steps));
        prepare(tokens);
        LOCKSTEP_ASSIGN(const std::vector<int32_t> forced, reference_tokens(tokens));
        LOCKSTEP_ASSIGN(const std::unique_ptr<Session> own, session());
        StepKeeper keeper(request_, where);
        const Status ran = for_each_pass(
            *own, tokens, forced, [&](int pass, std::span<const int32_t> batch) -> Status {
                const auto first = static_cast<int64_t>(own->tokens().size());
                keeper.begin(pass, first, static_cast<int64_t>(batch.size()));
                return Forward::run(*own, request_.reference, batch,
                                    {request_.cancel, &keeper, all_logits_})
                    .map([](const Tensor&) {});
            });
        if (keeper.found()) return std::move(*keeper.found());
        if (!ran) return tl::unexpected<Error>(ran.error());
        return fail(ErrorKind::invalid_argument, "this comparison has no such step");
    }

  private:
    Device& device() const { return device_of(*request_.model); }

    void prepare(const std::vector<int32_t>& tokens) {
        const auto rows = static_cast<int64_t>(tokens.size());
        context_ = rows + request_.decode_steps;
        all_logits_ = keeps_all_logits(config_, rows);
    }

    Result<std::unique_ptr<Session>> session() const {
        return comparison_session(request_, context_);
    }

    // What the reference says, greedily: the tokens that both paths are then fed.
    Result<std::vector<int32_t>> reference_tokens(std::span<const int32_t> prompt) const {
        std::vector<int32_t> tokens;
        if (request_.decode_steps == 0) return tokens;
        LOCKSTEP_ASSIGN(const std::unique_ptr<Session> own, session());
        int32_t next = 0;
        const auto run = [&](int, std::span<const int32_t> batch) -> Status {
            LOCKSTEP_ASSIGN(const Tensor logits,
                            Forward::run(*own, request_.reference, batch, {request_.cancel}));
            next = greedy(logits);
            return {};
        };
        LOCKSTEP_TRY(for_each_pass(*own, prompt, {}, run));
        for (int step = 0; step < request_.decode_steps; ++step) {
            tokens.push_back(next);
            LOCKSTEP_TRY(run(0, std::span<const int32_t>(tokens).last(1)));
        }
        return tokens;
    }

    Result<std::unique_ptr<Probe>> candidate_pass(std::span<const int32_t> prompt,
                                                  std::span<const int32_t> forced) const {
        LOCKSTEP_ASSIGN(const std::unique_ptr<Session> own, session());
        const auto rows = static_cast<int64_t>(prompt.size());
        const bool f32 = request_.candidate.f32_activations;
        const int64_t batches = (rows + own->max_batch() - 1) / own->max_batch();
        LOCKSTEP_ASSIGN(
            std::unique_ptr<Probe> probe,
            Probe::create(config_, f32 ? DType::f32 : request_.model->dtype,
                          {rows, static_cast<int>(forced.size()), all_logits_ ? rows : batches},
                          device()));
        LOCKSTEP_TRY(for_each_pass(
            *own, prompt, forced, [&](int pass, std::span<const int32_t> batch) -> Status {
                probe->begin_pass(pass);
                LOCKSTEP_TRY(Forward::run(*own, request_.candidate, batch,
                                          {request_.cancel, probe.get(), all_logits_}));
                return {};
            }));
        return probe;
    }

    Status reference_pass(size_t index, std::span<const int32_t> prompt,
                          std::span<const int32_t> forced, const Probe& candidate,
                          Comparison& result) {
        LOCKSTEP_ASSIGN(const std::unique_ptr<Session> own, session());
        const auto batches = (prompt.size() + static_cast<size_t>(own->max_batch()) - 1) /
                                 static_cast<size_t>(own->max_batch()) +
                             forced.size();
        const auto steps = static_cast<size_t>(config_.num_hidden_layers) * 5 + 2;
        LocalObserver observer(request_, candidate, plant_, steps * batches);
        observer.keep_first(first_step_);
        const Status ran = for_each_pass(
            *own, prompt, forced, [&](int pass, std::span<const int32_t> batch) -> Status {
                PassComparison compared;
                compared.prompt = index;
                compared.pass = pass;
                compared.first_row = static_cast<int64_t>(own->tokens().size());
                compared.rows = static_cast<int64_t>(batch.size());
                observer.begin(compared);
                const auto logits = Forward::run(*own, request_.reference, batch,
                                                 {request_.cancel, &observer, all_logits_});
                if (logits || observer.enough()) result.passes.push_back(std::move(compared));
                return logits.map([](const Tensor&) {});
            });
        return observer.enough() ? Status() : ran;
    }

    const CompareRequest& request_;
    const ModelConfig& config_;
    PlantWatch plant_;
    std::optional<StepCase>* first_step_;
    int64_t context_ = 0;
    bool all_logits_ = true;
};

}  // namespace

Result<Comparison> compare_paths(const CompareRequest& request,
                                 std::optional<StepCase>* first_step) {
    if (request.trace) return compare_trace(request, first_step);
    const Clock::time_point begin = Clock::now();
    Comparison result;
    result.model = request.model->name;
    result.device = device_of(*request.model).name();
    result.dtype = dtype_info(request.model->dtype).name;
    result.candidate = request.candidate.name;
    result.reference = request.reference.name;
    result.prompts = request.prompts;
    Run run(request, first_step);
    for (size_t index = 0; index < request.prompts.size(); ++index) {
        if (Status done = run.prompt(index, result); !done)
            return within("prompt " + std::to_string(index + 1), std::move(done).error());
        // Its last figures may be those of a step that ended early.
        if (request.cancel && *request.cancel)
            return fail(ErrorKind::cancelled, "the comparison was stopped");
        if (request.first_only && !result.passes.empty() && result.passes.back().diverged()) break;
    }
    find_first_divergence(result);
    result.planted = run.planted();
    result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return result;
}

Result<StepCase> reopen_step(const CompareRequest& request, const Divergence& where) {
    if (request.trace) return reopen_trace_step(request, where);
    if (where.prompt >= request.prompts.size())
        return fail(ErrorKind::invalid_argument, "there is no such prompt in this comparison");
    return Run(request).reopen(where);
}

}  // namespace lockstep
