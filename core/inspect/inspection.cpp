// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/inspection.h"

#include "core/inspect/trace.h"
#include "core/model/model_copy.h"

namespace lockstep {
namespace {

// Of the whole, the comparison is this share; the rest is the diagnosis.
constexpr double comparison_share = 0.8;

CompareRequest with_progress_up_to(const CompareRequest& request, double share) {
    CompareRequest part = request;
    if (!request.progress) return part;
    part.progress = [&request, share](const CompareProgress& progress) {
        return request.progress({progress.what, share * progress.fraction});
    };
    return part;
}

Result<Diagnosis> diagnose_step(const CompareRequest& request, const StepCase& step) {
    LOCKSTEP_ASSIGN(const std::unique_ptr<Stream> stream,
                    device_of(*request.model).make_stream(request.threads));
    DiagnosisRequest wanted;
    wanted.step = &step;
    wanted.model = request.model;
    if (device_of(*request.model).kind() != DeviceKind::cpu) {
        LOCKSTEP_ASSIGN(wanted.model, copy_model(*request.model, cpu_device()));
    }
    wanted.threads = request.threads;
    if (!request.trace) {
        wanted.run_again = [&](const StepArgs& inputs) {
            return run_step_on(request.candidate, inputs, request.model->dtype, *stream,
                               OnHost::everything);
        };
    }
    if (request.progress) {
        wanted.progress = [&](double fraction) {
            return request.progress(
                {"diagnosis", comparison_share + (1 - comparison_share) * fraction});
        };
    }
    return diagnose(wanted);
}

Diagnosis not_diagnosed(const Error& error) {
    Cause unknown;
    unknown.cause = "unknown";
    unknown.confidence = "none";
    unknown.what = unknown.evidence = "it could not be looked for: " + error.message;
    Diagnosis diagnosis;
    diagnosis.causes.push_back(std::move(unknown));
    return diagnosis;
}

// Faults that differ in what the trace does not have can't be told apart.
void doubt_what_a_trace_lacks(const Trace& trace, const StepCase& step, Diagnosis& diagnosis) {
    std::string lacks;
    for (const NamedTensor& tap : step_taps(step.runs.candidate.args, false)) {
        if (!trace.find(step.where.pass, step.where.layer, step.where.step, tap.name))
            lacks += (lacks.empty() ? "" : ", ") + std::string(tap.name);
    }
    if (lacks.empty()) return;
    for (Cause& cause : diagnosis.causes) {
        if (cause.confidence == "high") cause.confidence = "ambiguous";
        cause.evidence +=
            (cause.evidence.empty() ? "" : " ") + ("The trace lacks " + lacks +
                                                   " of this step: a cause that is wrong "
                                                   "there too can't be told from this one.");
    }
}

}  // namespace

Result<Inspection> inspect(const CompareRequest& request) {
    Inspection result;
    LOCKSTEP_ASSIGN(result.comparison,
                    compare_paths(with_progress_up_to(request, comparison_share), &result.step));
    if (!result.comparison.first) return result;
    if (!result.step) {
        LOCKSTEP_ASSIGN(StepCase step, reopen_step(request, *result.comparison.first));
        result.step = std::move(step);
    }
    Result<Diagnosis> diagnosis = diagnose_step(request, *result.step);
    if (!diagnosis && diagnosis.error().kind == ErrorKind::cancelled)
        return tl::unexpected<Error>(std::move(diagnosis).error());
    // The comparison stands, whatever became of its diagnosis.
    result.diagnosis = diagnosis ? std::move(*diagnosis) : not_diagnosed(diagnosis.error());
    if (request.trace) doubt_what_a_trace_lacks(*request.trace, *result.step, *result.diagnosis);
    return result;
}

}  // namespace lockstep
