// SPDX-License-Identifier: GPL-3.0-or-later
// What can be held against a reference, by the text that names it on the command line and in the
// panel alike: a registered path ("fused"), a user's kernels ("./my_kernel.so", on fused, or
// "./my_kernel.so,base=reference"), a trace that was captured elsewhere ("trace:F"); each but the
// last also with a fault planted in it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/inspect/planted_fault.h"
#include "core/model/model.h"
#include "kernels/kernel_path.h"
#include "kernels/user/user_kernel.h"

namespace lockstep {

class Trace;

struct CandidateSpec {
    std::string text = "fused";
    std::optional<FaultSpec> fault;
    IsolationOptions isolation = {};  // of a user's kernels
};

struct Candidate {
    std::string name;  // "fused", "fused with k_bias_dropped@layer=3", "my_kernel.so"
    KernelPath path;   // no functions where it is a trace
    std::shared_ptr<const Trace> trace = nullptr;  // null for a path that can be run
    std::optional<Plant> plant = {};               // of a planted fault, for CompareRequest::plant
    // A user's kernels, in a child process; once they have passed, open_user_kernel_in_process().
    std::optional<UserKernel> user_kernel = {};
};

// A shared object and the path whose steps it replaces, as a candidate's text names them; null for
// a text that names none.
struct UserKernelName {
    std::string file, base;
};
std::optional<UserKernelName> user_kernel_name(const std::string& text);

// The F of "trace:F"; null for a text that names no trace.
std::optional<std::string> trace_file(const std::string& text);

// Errors say what is wrong with the text, and what it may be.
Result<Candidate> open_candidate(const CandidateSpec& spec, DeviceKind device,
                                 std::shared_ptr<const Model> model);

}  // namespace lockstep
