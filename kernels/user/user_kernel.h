// SPDX-License-Identifier: GPL-3.0-or-later
// A path with steps of a user's own: a registered path, of which some steps are replaced by those
// that a shared object exports (lockstep_kernel.h tells how to write one).
//
// Which to use: a kernel that has not yet passed a comparison is opened isolated. It then runs in a
// child process with a time limit; a crash, an endless loop, exit() or a write outside its outputs
// is an error of that call, told with the step, the shape and what happened, and the program goes
// on. Each call costs about 0.1 ms, a copy of its
// activations and a look at its weights. On a GPU the child is another user of it (some 0.5 s and
// 0.5 GB to begin with); what a call reads and writes goes through the host both ways, the caches
// with it, and weights are sent once. One that has passed,
// or that the user insists on, is opened in this process: as fast as our own, and as dangerous.
// What is opened in this process is what passed: the bytes read by the first open, even where the
// file has been built anew since. To take in a new build, open the path again.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/kernel_path.h"
#include "kernels/user/child_main.h"

namespace lockstep {

class KernelFile;

struct UserKernel {
    KernelPath path;            // named after the file: "my_kernel.so"
    std::vector<StepId> steps;  // that it replaces
    std::string base;           // the path whose steps are replaced
    std::shared_ptr<const KernelFile> file;
};

struct IsolationOptions {
    // The program that becomes the child: this one. A program that has no such word (a test) names
    // one that has.
    std::filesystem::path program = "/proc/self/exe";
    std::vector<std::string> arguments{kernel_child_word};
    // Where the model lies, whose kernel it is to be.
    DeviceKind device = DeviceKind::cpu;
    // Of a call: this, and what its multiplications take at 100 million a second.
    std::chrono::milliseconds call_limit{10'000};
    std::chrono::milliseconds load_limit{20'000};
    // Asked some hundred times a second while a call runs; true ends it. Null: never.
    std::function<bool()> cancelled;
    // Weights kept in the child's reach. What exceeds them is copied anew for every call.
    uint64_t kept_weight_bytes = uint64_t{512} << 20;
    // What the kernel prints, from the thread that calls it. Null: only its last line is kept, for
    // messages.
    std::function<void(std::string_view)> on_output;
};

// base: a registered path of the device ("fused", "reference", "truth"). Errors name the file and
// what is wrong with it: not a shared object, for another machine, symbols that nobody defines,
// another version of lockstep_kernel.h, no step exported. Copies of the path share one child
// process, which ends with the last of them; calls from several threads take turns.
Result<UserKernel> open_user_kernel_isolated(const std::filesystem::path& file,
                                             const std::string& base = "fused",
                                             const IsolationOptions& options = {});

// The same file's bytes, and the same base, in this process.
Result<UserKernel> open_user_kernel_in_process(const UserKernel& passed);
// Unchecked.
Result<UserKernel> open_user_kernel_in_process(const std::filesystem::path& file,
                                               const std::string& base = "fused",
                                               DeviceKind device = DeviceKind::cpu);

}  // namespace lockstep
