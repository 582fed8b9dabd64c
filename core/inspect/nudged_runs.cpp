// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/nudged_runs.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "core/base/random.h"
#include "core/inspect/dense_runs.h"
#include "core/inspect/verdict.h"

namespace lockstep {
namespace {

// What a sum of so many f32 products may be off by, relative to its terms: a random walk of
// roundings, and some for what is done with the sum.
double sum_error(int64_t products) {
    return unit_roundoff(DType::f32) * (4 + std::sqrt(static_cast<double>(products) / 2));
}

class Nudge {
  public:
    Nudge(std::vector<Buffer>& buffers, uint64_t seed, Stream& stream)
        : buffers_(buffers), random_(seed), stream_(stream) {}

    // Every element of a tensor in the host's memory by a share of its own, and each row (all but
    // the last dimension) by one for all of it.
    void operand(const Tensor& tensor, double share) {
        if (!tensor.defined() || tensor.numel() == 0) return;
        const int64_t columns = tensor.shape[tensor.rank - 1];
        for (int64_t row = 0; row < tensor.numel() / columns; ++row) {
            int64_t offset = 0, rest = row;
            for (int d = tensor.rank - 2; d >= 0; --d) {
                offset += rest % tensor.shape[d] * tensor.stride[d];
                rest /= tensor.shape[d];
            }
            const double together = sign();
            for (int64_t i = 0; i < columns; ++i) {
                const float value = load_element(tensor.data, tensor.dtype, offset + i);
                const double moved = value * (1 + share * (sign() + together));
                store_element(tensor.data, tensor.dtype, offset + i, static_cast<float>(moved));
            }
        }
    }

    // A norm's weight [H], on the stream's device: a copy of it in f32.
    Status weight(Tensor& tensor, double share) {
        std::vector<Buffer> copies;
        LOCKSTEP_ASSIGN(const Tensor host, bring_to_host(tensor, copies, stream_));
        std::vector<float> moved(static_cast<size_t>(host.numel()));
        for (size_t i = 0; i < moved.size(); ++i) {
            const float value = load_element(host.data, host.dtype, static_cast<int64_t>(i));
            moved[i] = static_cast<float>(value * (1 + share * sign()));
        }
        const size_t bytes = moved.size() * sizeof(float);
        Device& device = stream_.device();
        LOCKSTEP_ASSIGN(Buffer buffer, device.allocate(bytes));
        LOCKSTEP_TRY(device.copy_from_host(buffer.data(), moved.data(), bytes, stream_));
        LOCKSTEP_TRY(stream_.synchronize());
        tensor = Tensor(buffer.data(), DType::f32, {host.numel()});
        buffers_.push_back(std::move(buffer));
        return {};
    }

  private:
    double sign() { return 2 * random_.uniform() - 1; }

    std::vector<Buffer>& buffers_;
    Random random_;
    Stream& stream_;
};

Status nudge(EmbedArgs&, Nudge&, double) {
    return {};  // nothing is computed
}

Status nudge(QkvArgs& args, Nudge& by, double rounding) {
    return by.weight(args.input_layernorm, rounding + sum_error(args.hidden.shape[1]));
}

Status nudge(AttentionArgs& args, Nudge& by, double) {
    const int64_t keys = args.context.first_row + args.q.shape[0];
    // Each key by itself: q alone moves all scores together where keys are alike.
    by.operand(args.q, sum_error(args.q.shape[2]));
    by.operand(args.k_cache.rows(0, keys), sum_error(args.q.shape[2]));
    by.operand(args.v_cache.rows(0, keys), sum_error(keys));
    return {};
}

Status nudge(AttnOutputArgs& args, Nudge& by, double) {
    by.operand(args.attn, sum_error(args.attn.shape[1]));
    return {};
}

Status nudge(GateUpArgs& args, Nudge& by, double rounding) {
    return by.weight(args.post_attention_layernorm,
                     rounding + sum_error(args.hidden_attn.shape[1]));
}

Status nudge(DownArgs& args, Nudge& by, double) {
    by.operand(args.mlp, sum_error(args.mlp.shape[1]));
    return {};
}

Status nudge(LogitsArgs& args, Nudge& by, double rounding) {
    return by.weight(args.norm, rounding + sum_error(args.hidden.shape[1]));
}

// The outputs of a run to where those of the call lie, each element moved by a random share.
Status store_moved(const StepArgs& run, const StepArgs& call, double share, Random& random,
                   Stream& stream) {
    const std::vector<NamedTensor> made = step_taps(run, false), wanted = step_taps(call, false);
    for (size_t tap = 0; tap < made.size(); ++tap) {
        std::vector<float> values(static_cast<size_t>(made[tap].tensor.numel()));
        LOCKSTEP_TRY(for_each_dense_run(
            made[tap].tensor, [&](int64_t offset, int64_t index, int64_t count) -> Status {
                std::copy_n(made[tap].tensor.as<float>() + offset, count, values.data() + index);
                return {};
            }));
        for (float& value : values)
            value = static_cast<float>(value * (1 + share * (2 * random.uniform() - 1)));
        const Tensor& to = wanted[tap].tensor;
        LOCKSTEP_TRY(for_each_dense_run(to, [&](int64_t offset, int64_t index, int64_t count) {
            return stream.device().copy_from_host(to.as<float>() + offset, values.data() + index,
                                                  static_cast<size_t>(count) * sizeof(float),
                                                  stream);
        }));
        LOCKSTEP_TRY(stream.synchronize());
    }
    return {};
}

}  // namespace

Result<SampleStep> run_nudged(const KernelPath& truth, const StepArgs& exact, DType model_dtype,
                              uint64_t seed, Stream& stream) {
    LOCKSTEP_ASSIGN(SampleStep run, inputs_for(truth, exact, model_dtype, stop_of(stream)));
    const double rounding = model_dtype == DType::f32 ? 0 : unit_roundoff(model_dtype);
    Nudge by(run.buffers, seed, stream);
    LOCKSTEP_TRY(std::visit([&](auto& args) { return nudge(args, by, rounding); }, run.args));
    LOCKSTEP_TRY(run_step_from_host(truth, run.args, OnHost::activations, stream));
    return run;
}

KernelPath rounding_path(const KernelPath& truth, DType model_dtype, uint64_t seed) {
    const auto exact = std::make_shared<const KernelPath>(truth);
    const auto random = std::make_shared<Random>(seed);
    const auto rounded = [&]<class Args>(StepFunction<Args>& step) {
        step = [exact, random, model_dtype](const Args& args, Stream& stream) -> Status {
            LOCKSTEP_ASSIGN(const SampleStep given, clone_step(StepArgs(args), DType::f32, stream));
            LOCKSTEP_ASSIGN(const SampleStep run,
                            run_nudged(*exact, given.args, model_dtype, random->next(), stream));
            return store_moved(run.args, StepArgs(args), unit_roundoff(model_dtype), *random,
                               stream);
        };
    };
    KernelPath path = truth;
    path.name = "honest rounding";
    path.replayable = 0;
    path.writes_unfused_outputs = 0;
    rounded(path.qkv);
    rounded(path.attention);
    rounded(path.attn_output);
    rounded(path.gate_up);
    rounded(path.down);
    rounded(path.logits);
    return path;
}

}  // namespace lockstep
