// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/trace_steps.h"

#include <algorithm>

#include "core/inspect/tap_comparison.h"
#include "kernels/step_transfer.h"

namespace lockstep {
namespace {

// Which step made an input, and where.
struct Maker {
    StepId step;
    int layer;
};

Maker maker_of(std::string_view input, const StepArgs& args, int num_hidden_layers) {
    const int layer = step_context(args).layer;
    if (input == "q") return {StepId::qkv, layer};
    if (input == "attn") return {StepId::attention, layer};
    if (input == "hidden_attn") return {StepId::attn_output, layer};
    if (input == "mlp") return {StepId::gate_up, layer};
    const int before = step_id(args) == StepId::logits ? num_hidden_layers - 1 : layer - 1;
    return {before < 0 ? StepId::embed : StepId::down, before};  // hidden
}

int64_t rows_of(const StepArgs& args) {
    return step_taps(args, false).front().tensor.shape[0];
}

// Element by element in logical order; `to` is contiguous.
void copy_values(const Tensor& from, const Tensor& to) {
    for (int64_t i = 0; i < to.numel(); ++i) store_element(to.data, to.dtype, i, element(from, i));
}

Result<Tensor> make_like(const Tensor& like, DType dtype, Buffer& memory) {
    LOCKSTEP_ASSIGN(memory,
                    cpu_device().allocate(static_cast<size_t>(dtype_bytes(dtype, like.numel()))));
    return like.rank == 3
               ? Tensor(memory.data(), dtype, {like.shape[0], like.shape[1], like.shape[2]})
               : Tensor(memory.data(), dtype, {like.shape[0], like.shape[1]});
}

}  // namespace

TraceSteps::TraceSteps(const CompareRequest& request, const Trace& trace)
    : request_(request), trace_(trace) {
    const auto layers = static_cast<size_t>(request.model->config.num_hidden_layers);
    for (auto [side, path] :
         {std::pair{&floor_, &request.floor}, std::pair{&truth_, &request.truth}}) {
        side->path = path;
        side->dtype = path->f32_activations ? DType::f32 : request.model->dtype;
        side->caches.resize(layers);
    }
}

void TraceSteps::begin(int pass, int64_t first_row, int64_t rows) {
    pass_ = pass;
    first_row_ = first_row;
    rows_ = rows;
}

Result<Tensor> TraceSteps::stored(int layer, StepId step, std::string_view tap, int64_t rows,
                                  Buffer& buffer) const {
    const StoredTensor* const found = trace_.find(pass_, layer, step, tap);
    if (!found) return Tensor();
    const int64_t before = pass_ == 0 ? 0 : first_row_;  // rows of the passes before this one
    int64_t first = first_row_ - before + rows_ - rows;
    const auto prompt = static_cast<int64_t>(trace_.prompt_ids().size());
    if (step == StepId::logits && pass_ == 0 && found->shape[0] == 1 && prompt > 1) {
        // Only the last row of the prompt has logits.
        if (first + rows != prompt || rows != 1) return Tensor();
        first = 0;
    }
    return Trace::rows(*found, first, rows, buffer);
}

Result<StepRuns> TraceSteps::run(const StepArgs& own, Stream& stream) {
    computed_.clear();
    StepRuns runs;
    StepArgs inputs = own;
    std::vector<Buffer> memory;
    if (auto* const qkv = std::get_if<QkvArgs>(&inputs)) {
        LOCKSTEP_TRY(make_cache(floor_, *qkv));
        LOCKSTEP_TRY(make_cache(truth_, *qkv));
    }
    LOCKSTEP_TRY(give_inputs(truth_, inputs, memory));
    LOCKSTEP_ASSIGN(runs.reference, run_side(floor_, own, stream));
    LOCKSTEP_ASSIGN(runs.candidate, candidate(inputs, runs.reference));
    LOCKSTEP_ASSIGN(runs.truth, run_side(truth_, own, stream));
    std::sort(computed_.begin(), computed_.end());
    computed_.erase(std::unique(computed_.begin(), computed_.end()), computed_.end());
    return runs;
}

Result<SampleStep> TraceSteps::run_side(Side& side, StepArgs args, Stream& stream) {
    std::vector<Buffer> memory;
    LOCKSTEP_TRY(give_inputs(side, args, memory));
    LOCKSTEP_ASSIGN(SampleStep run,
                    inputs_for(*side.path, args, request_.model->dtype, request_.cancel));
    if (Status ran = run_step_from_host(*side.path, run.args, OnHost::activations, stream); !ran)
        return within("path " + side.path->name + ", step " + std::string(step_name(step_id(args))),
                      std::move(ran).error());
    if (const auto* const qkv = std::get_if<QkvArgs>(&run.args))
        LOCKSTEP_TRY(keep_cache_rows(side, *qkv));
    LOCKSTEP_TRY(keep_output(side, run.args));
    return run;
}

// Every step has one output besides the cache's rows.
Status TraceSteps::keep_output(Side& side, const StepArgs& ran) {
    const int layer = step_context(ran).layer;
    const NamedTensor output = step_taps(ran, false).front();
    if (output.name == "logits" || trace_.find(pass_, layer, step_id(ran), output.name)) return {};
    Side::Made& made = side.made[static_cast<size_t>(step_id(ran))];
    LOCKSTEP_ASSIGN(made.tensor, make_like(output.tensor, output.tensor.dtype, made.memory));
    copy_values(output.tensor, made.tensor);
    if (step_id(ran) == StepId::attention) {  // seen by heads there, but not by who takes it in
        made.tensor = made.tensor.reshaped(
            {output.tensor.shape[0], output.tensor.shape[1] * output.tensor.shape[2]});
    }
    return {};
}

// Activations and cache of `args` become the trace's, or what this path made of the trace.
Status TraceSteps::give_inputs(Side& side, StepArgs& args, std::vector<Buffer>& memory) {
    const StepArgs own = args;
    return std::visit(
        [&]<class Args>(Args& a) -> Status {
            for (const TensorField<Args>& field : Args::fields()) {
                if (field.role == Role::input) {
                    LOCKSTEP_ASSIGN(a.*field.member, input(side, field.name, own, memory));
                } else if (field.role == Role::state) {
                    const auto& cache = side.caches[static_cast<size_t>(a.context.layer)];
                    const std::string_view tap = field.name == "k_cache" ? "k" : "v";
                    a.*field.member = tap == "k" ? cache.k : cache.v;
                    if (Args::id == StepId::attention &&
                        !trace_.find(pass_, a.context.layer, StepId::qkv, tap))
                        computed_.emplace_back(tap);
                }
            }
            return {};
        },
        args);
}

Result<Tensor> TraceSteps::input(Side& side, std::string_view name, const StepArgs& args,
                                 std::vector<Buffer>& memory) {
    const auto layers = static_cast<int>(request_.model->config.num_hidden_layers);
    const Maker maker = maker_of(name, args, layers);
    const int64_t rows = rows_of(args);
    Buffer buffer;
    LOCKSTEP_ASSIGN(const Tensor found, stored(maker.layer, maker.step, name, rows, buffer));
    if (found.defined()) {
        memory.push_back(std::move(buffer));
        return found;
    }
    computed_.emplace_back(name);
    const Tensor& made = side.made[static_cast<size_t>(maker.step)].tensor;
    if (!made.defined() || made.shape[0] < rows)
        return fail(ErrorKind::internal, "nothing has made " + std::string(name) + " yet");
    return made.rows(made.shape[0] - rows, rows);
}

Status TraceSteps::make_cache(Side& side, const QkvArgs& args) {
    Side::Cache& cache = side.caches[static_cast<size_t>(args.context.layer)];
    if (cache.k.defined()) return {};
    LOCKSTEP_ASSIGN(cache.k, make_like(args.k_cache, side.dtype, cache.k_memory));
    LOCKSTEP_ASSIGN(cache.v, make_like(args.v_cache, side.dtype, cache.v_memory));
    return {};
}

// The rows that the step appended: the trace's, where it has them.
Status TraceSteps::keep_cache_rows(Side& side, const QkvArgs& ran) {
    const Side::Cache& cache = side.caches[static_cast<size_t>(ran.context.layer)];
    for (const NamedTensor& tap : step_taps(StepArgs(ran), false)) {
        if (tap.name != "k" && tap.name != "v") continue;
        const int64_t rows = tap.tensor.shape[0];
        Buffer buffer;
        LOCKSTEP_ASSIGN(const Tensor found,
                        stored(ran.context.layer, StepId::qkv, tap.name, rows, buffer));
        const Tensor& kept = tap.name == "k" ? cache.k : cache.v;
        copy_values(found.defined() ? found : tap.tensor, kept.rows(ran.context.first_row, rows));
    }
    return {};
}

// The step as the trace has it: inputs and outputs in the dtype that they are stored in, so that
// nothing is rounded once more.
Result<SampleStep> TraceSteps::candidate(const StepArgs& inputs, const SampleStep& reference) {
    const int layer = step_context(inputs).layer;
    const StepId step = step_id(inputs);
    DType dtype = request_.model->dtype;
    for (const NamedTensor& tap : step_taps(inputs, true)) {
        const StoredTensor* const found = trace_.find(pass_, layer, step, tap.name);
        if (found && tap.name != "logits" && *found->dtype != dtype) dtype = DType::f32;
    }
    LOCKSTEP_ASSIGN(SampleStep made, clone_step(inputs, dtype, request_.cancel));
    const std::vector<NamedTensor> by_reference = taps_of(*floor_.path, reference.args);
    for (const NamedTensor& tap : step_taps(made.args, true)) {
        Buffer buffer;
        LOCKSTEP_ASSIGN(const Tensor found,
                        stored(layer, step, tap.name, tap.tensor.shape[0], buffer));
        const Tensor* const instead = tap_of(by_reference, tap.name);
        if (found.defined()) {
            copy_values(found, tap.tensor);
        } else if (instead) {
            copy_values(*instead, tap.tensor);
        }
    }
    return made;
}

}  // namespace lockstep
