// SPDX-License-Identifier: GPL-3.0-or-later
// The headless words. Each takes the arguments after itself and returns the exit status: 0, or 2
// after one readable line on stderr; compare also 1, where two paths have diverged.
#pragma once

#include <string>

namespace lockstep::app {

int run_chat(int argc, char** argv);
int run_tokenize(int argc, char** argv);
int run_bench(int argc, char** argv);
int run_models(int argc, char** argv);
int run_compare(int argc, char** argv);
int run_trace(int argc, char** argv);
// The chat that `lockstep` opens where there is no display. Empty: the default model, on a GPU
// where there is one.
int run_chat_without_display(const std::string& model, const std::string& device);

}  // namespace lockstep::app
