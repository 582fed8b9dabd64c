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
                                 std::shared_ptr<const Model> model) {
    const KernelPath* const path = find_kernel_path(device, spec.text);
    if (!path) {
        return fail(ErrorKind::invalid_argument, "the candidate is one of " + known_names(device) +
                                                     ", not \"" + spec.text + "\"");
    }
    if (!spec.fault) return Candidate{path->name, *path};
    LOCKSTEP_ASSIGN(KernelPath wrong, plant_fault(*path, *spec.fault, std::move(model)));
    std::string name = wrong.name;
    return Candidate{std::move(name), std::move(wrong)};
}

}  // namespace lockstep
