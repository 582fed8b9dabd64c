// SPDX-License-Identifier: GPL-3.0-or-later
// Paths that may be a user's kernels: how they are run, and --path for a chat, where they must have
// passed a short check.
#pragma once

#include <string>

#include "app/options.h"
#include "core/run/engine.h"
#include "kernels/user/user_kernel.h"

namespace lockstep::app {

inline constexpr const char* time_limit_help =
    "of one call of a kernel of yours, beside what its arithmetic takes\n"
    "(default 10; 0: none, for a debugger)";
// In a child process for that device, with --time-limit where the word has it (seconds); what the
// kernel prints goes to stderr.
Result<IsolationOptions> isolation_options(const Options& options, DeviceKind device);

// A registered name is set at once. A shared object needs the loaded model: it is compared with the
// reference in a child process, and runs in this one if it matches; unchecked, it is not compared
// and stays in the child process.
Status use_path(Engine& engine, const std::string& text, bool unchecked);

}  // namespace lockstep::app
