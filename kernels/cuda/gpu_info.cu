// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/gpu_info.h"

#include <cuda_runtime.h>

namespace lockstep {

Result<std::vector<GpuInfo>> find_gpus() {
    int count = 0;
    if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
        return fail(ErrorKind::unsupported,
                    std::string("no usable NVIDIA GPU: ") + cudaGetErrorString(error));
    }
    std::vector<GpuInfo> gpus;
    for (int device = 0; device < count; ++device) {
        cudaDeviceProp properties{};
        if (const cudaError_t error = cudaGetDeviceProperties(&properties, device);
            error != cudaSuccess) {
            return fail(ErrorKind::unsupported, "cudaGetDeviceProperties of GPU " +
                                                    std::to_string(device) + ": " +
                                                    cudaGetErrorString(error));
        }
        gpus.push_back(
            {properties.name, properties.major * 10 + properties.minor, properties.totalGlobalMem});
    }
    if (gpus.empty()) return fail(ErrorKind::unsupported, "no NVIDIA GPU in this machine");
    return gpus;
}

}  // namespace lockstep
