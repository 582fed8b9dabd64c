// SPDX-License-Identifier: GPL-3.0-or-later
// Which NVIDIA GPUs this process could use. Answers in every build: without CUDA, or without a
// driver, it says why there are none.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kernels/status.h"

namespace lockstep {

struct GpuInfo {
    std::string name;            // "NVIDIA H200"
    int compute_capability = 0;  // 90 for sm_90
    size_t memory = 0;           // bytes
};

// At least one, or the reason in words: "built without CUDA", "no NVIDIA driver", ...
Result<std::vector<GpuInfo>> find_gpus();

}  // namespace lockstep
