// SPDX-License-Identifier: GPL-3.0-or-later
// What can be held against a reference, by the text that names it on the command line and in the
// panel alike: a registered path ("fused"), a user's kernels ("./my_kernel.so"), a trace that was
// captured elsewhere ("trace:F"); each but the last also with a fault planted in it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/inspect/fault.h"
#include "core/model/model.h"
#include "kernels/kernel_path.h"

namespace lockstep {

class Trace;

struct CandidateSpec {
    std::string text = "fused";
    std::optional<FaultSpec> fault;
};

struct Candidate {
    std::string name;  // "fused", "fused with k_bias_dropped@layer=3", "my_kernel.so"
    KernelPath path;   // no functions where it is a trace
    std::shared_ptr<const Trace> trace = nullptr;  // null for a path that can be run
};

// Errors say what is wrong with the text, and what it may be.
Result<Candidate> open_candidate(const CandidateSpec& spec, DeviceKind device,
                                 std::shared_ptr<const Model> model);

}  // namespace lockstep
