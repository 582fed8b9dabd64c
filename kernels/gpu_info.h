// SPDX-License-Identifier: GPL-3.0-or-later
// Which NVIDIA GPUs this process could use. Answers in every build: without CUDA, or without a
// driver, it says why there are none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/device.h"
#include "kernels/status.h"

namespace lockstep {

struct GpuInfo {
    std::string name;            // "NVIDIA H200"
    int compute_capability = 0;  // 90 for sm_90
    size_t memory = 0;           // bytes
};

// At least one, or the reason in words: "built without CUDA", "no NVIDIA driver", ...
Result<std::vector<GpuInfo>> find_gpus();

// The GPU of that number as a device, the same one whenever it is asked for; or why it cannot be
// used.
Result<Device*> cuda_device(int index);
// "cpu", "cuda" (the first GPU) or "cuda:1".
Result<Device*> device_from_name(std::string_view name);

}  // namespace lockstep
