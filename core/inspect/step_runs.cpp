// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/step_runs.h"

#include <cmath>
#include <limits>

#include "kernels/step_transfer.h"

namespace lockstep {
namespace {

void poison_rows(const Tensor& cache, int64_t first, int64_t count) {
    const Tensor rows = cache.rows(first, count);
    for (int64_t row = 0; row < count; ++row) {
        for (int64_t head = 0; head < rows.shape[1]; ++head) {
            for (int64_t d = 0; d < rows.shape[2]; ++d) {
                store_element(rows.data, rows.dtype,
                              row * rows.stride[0] + head * rows.stride[1] + d * rows.stride[2],
                              std::numeric_limits<float>::quiet_NaN());
            }
        }
    }
}

// The cache that a clone was given holds the rows which the step is about to append already.
void poison_appended_rows(const StepArgs& args) {
    const auto* qkv = std::get_if<QkvArgs>(&args);
    if (!qkv) return;
    poison_rows(qkv->k_cache, qkv->context.first_row, qkv->q.shape[0]);
    poison_rows(qkv->v_cache, qkv->context.first_row, qkv->q.shape[0]);
}

std::string where(const KernelPath& path, const StepArgs& args) {
    const StepId step = step_id(args);
    const bool in_layer = step != StepId::embed && step != StepId::logits;
    return "path " + path.name + ", step " + std::string(step_name(step)) +
           (in_layer ? " of layer " + std::to_string(step_context(args).layer) : "");
}

// The same values in reverse order: others, and of the same magnitudes.
void reverse(const Tensor& dense) {
    const int64_t count = dense.numel();
    for (int64_t i = 0; i < count / 2; ++i) {
        const float first = load_element(dense.data, dense.dtype, i);
        const float last = load_element(dense.data, dense.dtype, count - 1 - i);
        store_element(dense.data, dense.dtype, i, last);
        store_element(dense.data, dense.dtype, count - 1 - i, first);
    }
}

// Ids lie on the stream's device, as all constants of a clone do.
Status other_ids(EmbedArgs& args, std::vector<Buffer>& buffers, Stream& stream) {
    const auto vocab_size = static_cast<int32_t>(args.embed_tokens.shape[0]);
    const auto count = static_cast<size_t>(args.ids.shape[0]);
    std::vector<int32_t> ids(count);
    const size_t bytes = count * sizeof(int32_t);
    LOCKSTEP_TRY(stream.device().copy_to_host(ids.data(), args.ids.data, bytes, stream));
    LOCKSTEP_TRY(stream.synchronize());
    for (int32_t& id : ids) id = (id + vocab_size / 2 + 1) % vocab_size;
    LOCKSTEP_ASSIGN(Buffer buffer, stream.device().allocate(bytes));
    args.ids.data = buffer.data();
    buffers.push_back(std::move(buffer));
    return stream.device().copy_from_host(args.ids.data, ids.data(), bytes, stream);
}

// A call like the one that counts, with other inputs: what a step keeps from it must not show.
Status run_on_other_inputs(const KernelPath& path, const StepArgs& args, DType model_dtype,
                           Stream& stream) {
    LOCKSTEP_ASSIGN(SampleStep run, inputs_for(path, args, model_dtype, stop_of(stream)));
    for (const NamedTensor& named : step_tensors(run.args)) {
        if (named.role == Role::input) reverse(named.tensor);
    }
    if (auto* const embed = std::get_if<EmbedArgs>(&run.args))
        LOCKSTEP_TRY(other_ids(*embed, run.buffers, stream));
    return run_step_from_host(path, run.args, OnHost::activations, stream);
}

// Of a device whose memory the host cannot read: the weights as well.
Status keep_on_host(StepRuns& runs, Stream& stream) {
    LOCKSTEP_TRY(bring_weights(runs.candidate.args, runs.candidate.buffers, stream));
    for (SampleStep* other : {&runs.reference, &runs.truth})
        share_weights(runs.candidate.args, other->args);
    return {};
}

}  // namespace

const std::atomic<bool>* stop_of(Stream& stream) {
    return stream.stop_flag();
}

Status stop_if_asked(Stream& stream) {
    return stream.stopped() ? fail(ErrorKind::cancelled, "the comparison was stopped") : Status();
}

Result<SampleStep> inputs_for(const KernelPath& path, const StepArgs& args, DType model_dtype,
                              const std::atomic<bool>* stop) {
    LOCKSTEP_ASSIGN(SampleStep clone,
                    clone_step(args, path.f32_activations ? DType::f32 : model_dtype, stop));
    poison_appended_rows(clone.args);
    return clone;
}

Result<SampleStep> run_step_on(const KernelPath& path, const StepArgs& args, DType model_dtype,
                               Stream& stream, OnHost on_host) {
    LOCKSTEP_ASSIGN(SampleStep run, inputs_for(path, args, model_dtype, stop_of(stream)));
    if (Status ran = run_step_from_host(path, run.args, on_host, stream); !ran)
        return within(where(path, args), std::move(ran).error());
    LOCKSTEP_TRY(stop_if_asked(stream));
    return run;
}

Result<SampleStep> run_step_after_other_inputs(const KernelPath& path, const StepArgs& args,
                                               DType model_dtype, Stream& stream) {
    if (Status ran = run_on_other_inputs(path, args, model_dtype, stream); !ran)
        return within(where(path, args), std::move(ran).error());
    return run_step_on(path, args, model_dtype, stream);
}

Status keep_constants(StepRuns& runs, Stream& stream) {
    if (stream.device().kind() != DeviceKind::cpu) return keep_on_host(runs, stream);
    for (SampleStep* run : {&runs.candidate, &runs.reference, &runs.truth}) {
        const auto keep = [&](Tensor& tensor) -> Status {
            Device& device = stream.device();
            const auto bytes = static_cast<size_t>(tensor.bytes());
            LOCKSTEP_ASSIGN(Buffer copy, device.allocate(bytes));
            LOCKSTEP_TRY(device.copy(copy.data(), tensor.data, bytes, stream));
            tensor.data = copy.data();
            run->buffers.push_back(std::move(copy));
            return {};
        };
        LOCKSTEP_TRY(keep(step_context(run->args).position));
        LOCKSTEP_TRY(std::visit(
            [&]<class Args>(Args& args) -> Status {
                for (const TensorField<Args>& field : Args::fields()) {
                    if (field.role == Role::constant) LOCKSTEP_TRY(keep(args.*field.member));
                }
                return {};
            },
            run->args));
    }
    return stream.synchronize();
}

Result<StepRuns> run_step_on_all(const StepPaths& paths, const StepArgs& args, Stream& stream) {
    // Rounding once more changes nothing where the activations are of the model's dtype already.
    LOCKSTEP_ASSIGN(const SampleStep rounded, clone_step(args, paths.model_dtype, stream));
    StepRuns runs;
    LOCKSTEP_ASSIGN(runs.candidate, run_step_after_other_inputs(paths.candidate, rounded.args,
                                                                paths.model_dtype, stream));
    LOCKSTEP_ASSIGN(runs.reference,
                    run_step_on(paths.reference, rounded.args, paths.model_dtype, stream));
    LOCKSTEP_ASSIGN(runs.truth, run_step_on(paths.truth, rounded.args, paths.model_dtype, stream));
    return runs;
}

}  // namespace lockstep
