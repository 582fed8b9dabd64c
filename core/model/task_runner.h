// SPDX-License-Identifier: GPL-3.0-or-later
// Runs a list of tasks on a few threads while the calling thread keeps its owner informed.
#pragma once

#include <functional>
#include <vector>

#include "kernels/status.h"

namespace lockstep {

// Every task runs once, in about this order, on `threads` threads (0: one per core of this
// process). The calling thread calls poll() every 20 ms and once at the end; when it returns false
// no further task starts, and the result is `cancelled`. A task that throws std::bad_alloc makes
// the result `out_of_memory`.
Status run_tasks(const std::vector<std::function<void()>>& tasks, int threads,
                 const std::function<bool()>& poll);

}  // namespace lockstep
