// SPDX-License-Identifier: GPL-3.0-or-later
// The window, from start to close.
#pragma once

#include <cstdint>
#include <string>

#include "app/options.h"

namespace lockstep::app {

// lockstep [MODEL] [--device D] [--conversation ID]
struct WindowArguments {
    std::string model;         // a GGUF file or a Hugging Face folder; empty: the last one
    std::string device;        // auto, cpu, cuda or cuda:N; empty: the settings'
    int64_t conversation = 0;  // 0: the last one
};

// argv[0] is the program's name. `options` answers --help.
Options window_options();
Result<WindowArguments> window_arguments(int argc, char** argv, Options& options);

// Returns the process's exit status.
int run_window(int argc, char** argv, const WindowArguments& arguments);

}  // namespace lockstep::app
