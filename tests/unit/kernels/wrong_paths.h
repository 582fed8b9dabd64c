// SPDX-License-Identifier: GPL-3.0-or-later
// The reference with one step done wrong, as real kernels have done it: what the step tests must
// catch.
#pragma once

#include <vector>

#include "kernels/kernel_path.h"

namespace lockstep {

struct WrongPath {
    StepId step;
    const char* name;
    KernelPath path;
};

const std::vector<WrongPath>& wrong_paths();

}  // namespace lockstep
