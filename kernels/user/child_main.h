// SPDX-License-Identifier: GPL-3.0-or-later
// The child process that runs a user's kernel: loads it, calls it when it is told to, and does not
// outlive the program. Everything in the process is the kernel's to break.
#pragma once

namespace lockstep {

// The word after the program's name that makes a process one. The program's main() calls
// kernel_child_main() for it before anything else; it returns the exit status.
inline constexpr const char* kernel_child_word = "kernel-child";
int kernel_child_main();

}  // namespace lockstep
