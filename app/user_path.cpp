// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/user_path.h"

#include <cmath>
#include <iostream>

#include "app/common.h"
#include "core/inspect/candidate.h"
#include "core/inspect/report.h"
#include "core/inspect/short_check.h"

namespace lockstep::app {
namespace {

Status set(Engine& engine, const KernelPath& path) {
    return engine.set_path(PathChoice(std::make_shared<const KernelPath>(path)));
}

Status use_checked(Engine& engine, const UserKernel& kernel) {
    ShortCheckRequest request{engine.model(), kernel.path, 0, {}};
    LOCKSTEP_ASSIGN(const Comparison comparison, short_check(request));
    if (comparison.diverged() || comparison.drift_unexplained) {
        return fail(ErrorKind::invalid_argument,
                    comparison_sentence(comparison) +
                        " lockstep compare says more; --unchecked chats with it all the same, in "
                        "a process of its own");
    }
    std::cerr << "lockstep: " << kernel.path.name << " matches the reference on "
              << comparison.prompts.size() << " short prompts\n";
    LOCKSTEP_ASSIGN(const UserKernel here, open_user_kernel_in_process(kernel));
    return set(engine, here.path);
}

}  // namespace

Result<IsolationOptions> isolation_options(const Options& options, DeviceKind device) {
    IsolationOptions isolation;
    isolation.device = device;
    isolation.on_output = kernel_output_to_stderr();
    const double fallback = static_cast<double>(isolation.call_limit.count()) / 1000;
    LOCKSTEP_ASSIGN(const double limit, options.number("time-limit", fallback, 0, 1e6));
    isolation.call_limit = limit == 0 ? std::chrono::milliseconds(std::chrono::hours(10'000))
                                      : std::chrono::milliseconds(std::llround(1000 * limit));
    return isolation;
}

Status use_path(Engine& engine, const std::string& text, bool unchecked) {
    const auto name = user_kernel_name(text);
    if (!name) return engine.set_path(PathChoice(text));
    IsolationOptions isolation;
    isolation.on_output = kernel_output_to_stderr();
    isolation.device = device_of(*engine.model()).kind();
    LOCKSTEP_ASSIGN(const UserKernel kernel,
                    open_user_kernel_isolated(name->file, name->base, isolation));
    if (!unchecked) return use_checked(engine, kernel);
    std::cerr << "lockstep: " << kernel.path.name
              << " is not checked; it runs in a process of its own\n";
    return set(engine, kernel.path);
}

}  // namespace lockstep::app
