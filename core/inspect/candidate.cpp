// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/candidate.h"

namespace lockstep {
namespace {

std::string known_names(DeviceKind device) {
    std::string names;
    for (const KernelPath& path : kernel_paths(device))
        names += (names.empty() ? "" : ", ") + path.name;
    return names;
}

}  // namespace

Result<Candidate> open_candidate(const CandidateSpec& spec, DeviceKind device,
                                 std::shared_ptr<const Model>) {
    const KernelPath* const path = find_kernel_path(device, spec.text);
    if (!path) {
        return fail(ErrorKind::invalid_argument, "the candidate is one of " + known_names(device) +
                                                     ", not \"" + spec.text + "\"");
    }
    if (spec.fault)
        return fail(ErrorKind::unsupported, "faults can't be planted in this build yet");
    return Candidate{path->name, *path};
}

}  // namespace lockstep
