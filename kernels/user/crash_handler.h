// SPDX-License-Identifier: GPL-3.0-or-later
// In the child: where it was when a signal killed it, written down for the program. The signal then
// does what it would have done.
#pragma once

#include <cstddef>

#include "kernels/user/child_protocol.h"

namespace lockstep {

// The memory that faults are located in; the handler reads it.
struct WatchedMemory {
    const std::byte* activations = nullptr;
    const std::byte* weights = nullptr;
    size_t activations_bytes = 0, weights_bytes = 0;
};

// From now on. The calling thread is the one that kernels are called from; its stack may overflow.
// Both arguments must live as long as the process.
void install_crash_handler(CrashReport& report, const WatchedMemory& memory);

}  // namespace lockstep
