// SPDX-License-Identifier: GPL-3.0-or-later
// Paths whose kernels do to the GPU what a bug would: each ends CUDA for its process.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/kernel_path.h"

namespace lockstep::test {

// fused, whose `down` does it at its `call`-th call (from 1).
enum class FaultyKernel { illegal_address, endless };
std::shared_ptr<const KernelPath> faulty_path(FaultyKernel kernel, int64_t call);

}  // namespace lockstep::test
