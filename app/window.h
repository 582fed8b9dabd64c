// SPDX-License-Identifier: GPL-3.0-or-later
// The window, from start to close.
#pragma once

#include <string>

namespace lockstep {

// model: a GGUF file or a Hugging Face folder to open; empty opens the last one. Returns the
// process's exit status.
int run_window(int argc, char** argv, const std::string& model);

}  // namespace lockstep
