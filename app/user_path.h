// SPDX-License-Identifier: GPL-3.0-or-later
// --path for a chat: a registered path, or a user's kernels once they have passed a short check.
#pragma once

#include <string>

#include "core/run/engine.h"

namespace lockstep::app {

// A registered name is set at once. A shared object needs the loaded model: it is compared with the
// reference in a child process, and runs in this one if it matches; unchecked, it is not compared
// and stays in the child process.
Status use_path(Engine& engine, const std::string& text, bool unchecked);

}  // namespace lockstep::app
