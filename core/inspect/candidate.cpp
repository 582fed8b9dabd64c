// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/candidate.h"

#include <string_view>

#include "core/inspect/trace.h"

namespace lockstep {
namespace {

std::string known_names(DeviceKind device) {
    std::string names;
    for (const KernelPath& path : kernel_paths(device))
        names += (names.empty() ? "" : ", ") + path.name;
    return names;
}

constexpr std::string_view trace_prefix = "trace:";

Result<Candidate> open_trace(const CandidateSpec& spec, const std::string& file) {
    if (spec.fault) {
        return fail(ErrorKind::invalid_argument,
                    "a fault can't be planted in a trace: what it has was computed elsewhere");
    }
    Candidate candidate{spec.text, {}};
    LOCKSTEP_ASSIGN(candidate.trace, Trace::open(file));
    candidate.path.name = spec.text;
    return candidate;
}

Result<Candidate> open_path(const CandidateSpec& spec, DeviceKind device) {
    if (const auto user = user_kernel_name(spec.text)) {
        IsolationOptions isolation = spec.isolation;
        isolation.device = device;
        LOCKSTEP_ASSIGN(UserKernel kernel,
                        open_user_kernel_isolated(user->file, user->base, isolation));
        Candidate candidate{kernel.path.name, kernel.path};
        candidate.user_kernel = std::move(kernel);
        return candidate;
    }
    if (const KernelPath* const path = find_kernel_path(device, spec.text))
        return Candidate{path->name, *path};
    return fail(ErrorKind::invalid_argument,
                "the candidate is one of " + known_names(device) +
                    ", or a shared object (./my_kernel.so), or a trace (trace:F), not \"" +
                    spec.text + "\"");
}

}  // namespace

std::optional<std::string> trace_file(const std::string& text) {
    if (!text.starts_with(trace_prefix)) return std::nullopt;
    return text.substr(trace_prefix.size());
}

std::optional<UserKernelName> user_kernel_name(const std::string& text) {
    constexpr std::string_view base = ",base=";
    UserKernelName name{text, "fused"};
    if (const size_t at = text.rfind(base); at != std::string::npos)
        name = {text.substr(0, at), text.substr(at + base.size())};
    const bool is_file = name.file.ends_with(".so") || name.file.find('/') != std::string::npos;
    return is_file && !trace_file(text) ? std::optional(name) : std::nullopt;
}

Result<Candidate> open_candidate(const CandidateSpec& spec, DeviceKind device,
                                 std::shared_ptr<const Model> model) {
    if (const auto file = trace_file(spec.text)) return open_trace(spec, *file);
    LOCKSTEP_ASSIGN(Candidate candidate, open_path(spec, device));
    if (!spec.fault) return candidate;
    LOCKSTEP_ASSIGN(candidate.path, plant_fault(candidate.path, *spec.fault, model));
    const KernelPath& truth = *find_kernel_path(device, "truth");
    LOCKSTEP_ASSIGN(KernelPath planted, plant_fault(truth, *spec.fault, std::move(model)));
    candidate.plant = Plant{*spec.fault, std::move(planted)};
    candidate.name = candidate.path.name;
    return candidate;
}

}  // namespace lockstep
