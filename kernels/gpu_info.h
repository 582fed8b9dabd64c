// SPDX-License-Identifier: GPL-3.0-or-later
// Which NVIDIA GPUs this process could use. Answers in every build: without CUDA, or without a
// driver, it says why there are none.
#pragma once

#include <cstddef>
#include <functional>
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

// Who finds and opens the GPUs: CUDA, or what a test puts in its place.
struct DeviceFinder {
    std::function<Result<std::vector<GpuInfo>>()> gpus = find_gpus;
    std::function<Result<Device*>(int)> gpu = cuda_device;
};

struct DeviceChoice {
    Device* device = nullptr;
    std::string no_gpu;  // why "auto" came to the CPU; empty otherwise
};

// "cpu", "cuda" (the first GPU), "cuda:1", or "auto": the first GPU that can be used, else the CPU.
Result<DeviceChoice> choose_device(std::string_view name, const DeviceFinder& finder = {});
Result<Device*> device_from_name(std::string_view name);

}  // namespace lockstep
