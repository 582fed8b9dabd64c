// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/drift.h"

#include <algorithm>
#include <map>

#include "core/inspect/nudged_runs.h"
#include "core/inspect/passes.h"
#include "core/run/forward.h"

namespace lockstep {
namespace {

constexpr double most_ratio = 2;
constexpr uint64_t most_samples = 8;

class DriftCheck {
  public:
    DriftCheck(const CompareRequest& request, std::span<const int32_t> prompt,
               std::span<const int32_t> forced)
        : request_(request), prompt_(prompt), forced_(forced) {}

    Result<bool> run(const OwnLogits& own) {
        LOCKSTEP_TRY(measure(own));
        for (uint64_t seed = 1; seed <= most_samples && !doubts_.empty(); ++seed)
            LOCKSTEP_TRY(sample(seed));
        return !doubts_.empty();
    }

  private:
    // A pass whose candidate is further from truth than any honest path so far.
    struct Doubt {
        std::vector<float> truth;  // [V]
        double own = 0, honest = 0;
        bool stands() const { return !(own <= most_ratio * honest); }  // also of NaN
    };

    Result<std::unique_ptr<Session>> session() const {
        return comparison_session(request_, static_cast<int64_t>(prompt_.size() + forced_.size()));
    }
    Result<Tensor> forward(Session& session, const KernelPath& path,
                           std::span<const int32_t> batch) const {
        LOCKSTEP_ASSIGN(const Tensor logits, Forward::run(session, path, batch, {request_.cancel}));
        return logits.rows(logits.shape[0] - 1, 1);
    }

    Status measure(const OwnLogits& own) {
        LOCKSTEP_ASSIGN(const std::unique_ptr<Session> exact, session());
        LOCKSTEP_ASSIGN(const std::unique_ptr<Session> rounded, session());
        return for_each_pass(
            *exact, prompt_, forced_, [&](int pass, std::span<const int32_t> batch) -> Status {
                LOCKSTEP_ASSIGN(const Tensor truth, forward(*exact, request_.truth, batch));
                LOCKSTEP_ASSIGN(const Tensor floor, forward(*rounded, request_.floor, batch));
                if (exact->tokens().size() < prompt_.size()) return {};
                std::vector<Buffer> buffers;
                LOCKSTEP_ASSIGN(const Tensor tested, own(pass, buffers, exact->stream()));
                if (!tested.defined()) return {};
                Doubt doubt;
                doubt.own = compare_tensors(tested, truth).rms;
                doubt.honest = compare_tensors(floor, truth).rms;
                if (!doubt.stands()) return {};
                doubt.truth.assign(truth.as<float>(), truth.as<float>() + truth.numel());
                doubts_.emplace(pass, std::move(doubt));
                return {};
            });
    }

    // One more honest path.
    Status sample(uint64_t seed) {
        LOCKSTEP_ASSIGN(const std::unique_ptr<Session> own, session());
        const KernelPath path = rounding_path(request_.truth, request_.model->dtype, seed);
        LOCKSTEP_TRY(for_each_pass(
            *own, prompt_, forced_, [&](int pass, std::span<const int32_t> batch) -> Status {
                LOCKSTEP_ASSIGN(const Tensor logits, forward(*own, path, batch));
                const auto doubt = doubts_.find(pass);
                if (doubt == doubts_.end() || own->tokens().size() < prompt_.size()) return {};
                const Tensor truth(doubt->second.truth.data(), DType::f32, {1, logits.shape[1]});
                doubt->second.honest =
                    std::max(doubt->second.honest, compare_tensors(logits, truth).rms);
                return {};
            }));
        std::erase_if(doubts_, [](const auto& doubt) { return !doubt.second.stands(); });
        return {};
    }

    const CompareRequest& request_;
    std::span<const int32_t> prompt_, forced_;
    std::map<int, Doubt> doubts_;  // by pass
};

}  // namespace

Result<bool> drifts_beyond_rounding(const CompareRequest& request, std::span<const int32_t> prompt,
                                    std::span<const int32_t> forced, const OwnLogits& own) {
    return DriftCheck(request, prompt, forced).run(own);
}

}  // namespace lockstep
