// SPDX-License-Identifier: GPL-3.0-or-later
// lockstep compare --self-test: what the inspector finds of faults that it planted itself.
#pragma once

#include "app/options.h"
#include "kernels/status.h"

namespace lockstep::app {

// Exit status: 0 as it should be, 1 not.
Result<int> self_test(const Options& options);

}  // namespace lockstep::app
