// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/step_runs.h"

#include <cmath>
#include <limits>

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

Result<SampleStep> run_on(const KernelPath& path, const StepArgs& args, DType model_dtype,
                          Stream& stream) {
    LOCKSTEP_ASSIGN(SampleStep run, inputs_for(path, args, model_dtype));
    if (Status ran = run_step(path, run.args, stream); !ran) {
        return within("path " + path.name + ", step " + std::string(step_name(step_id(args))),
                      std::move(ran).error());
    }
    LOCKSTEP_TRY(stream.synchronize());
    return run;
}

}  // namespace

Result<SampleStep> inputs_for(const KernelPath& path, const StepArgs& args, DType model_dtype) {
    LOCKSTEP_ASSIGN(SampleStep clone,
                    clone_step(args, path.f32_activations ? DType::f32 : model_dtype));
    poison_appended_rows(clone.args);
    return clone;
}

Result<StepRuns> run_step_on_all(const StepPaths& paths, const StepArgs& args, Stream& stream) {
    // Rounding once more changes nothing where the activations are of the model's dtype already.
    LOCKSTEP_ASSIGN(const SampleStep rounded, clone_step(args, paths.model_dtype));
    StepRuns runs;
    LOCKSTEP_ASSIGN(runs.candidate,
                    run_on(paths.candidate, rounded.args, paths.model_dtype, stream));
    LOCKSTEP_ASSIGN(runs.reference,
                    run_on(paths.reference, rounded.args, paths.model_dtype, stream));
    LOCKSTEP_ASSIGN(runs.truth, run_on(paths.truth, rounded.args, paths.model_dtype, stream));
    return runs;
}

}  // namespace lockstep
