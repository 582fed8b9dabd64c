// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/gpu_info.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <map>
#include <mutex>

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/cuda_status.h"
#include "kernels/gpu_problem.h"
#include "kernels/kernel_path.h"

namespace lockstep {
namespace {

DriverState driver_state(cudaError_t error) {
    DriverState state;
    state.error = cudaGetErrorString(error);
    // It stays loaded: the runtime looks for it just so.
    state.library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) != nullptr;
    // They say 0 where they cannot say more.
    (void)cudaDriverGetVersion(&state.driver_version);
    (void)cudaRuntimeGetVersion(&state.runtime_version);
    return state;
}

}  // namespace

Result<std::vector<GpuInfo>> find_gpus() {
    int count = 0;
    if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
        (void)cudaGetLastError();
        return fail(ErrorKind::unsupported, gpu_problem(driver_state(error)));
    }
    std::vector<GpuInfo> gpus;
    for (int device = 0; device < count; ++device) {
        cudaDeviceProp properties{};
        LOCKSTEP_TRY(cuda_status(
            cudaGetDeviceProperties(&properties, device),
            "no usable NVIDIA GPU: cudaGetDeviceProperties of GPU " + std::to_string(device)));
        gpus.push_back(
            {properties.name, properties.major * 10 + properties.minor, properties.totalGlobalMem});
    }
    if (gpus.empty())
        return fail(ErrorKind::unsupported, "no usable NVIDIA GPU: there is none in this machine");
    return gpus;
}

Result<Device*> cuda_device(int index) {
    static std::mutex mutex;
    // Never destroyed: buffers may outlive main's locals, and the driver ends with the process.
    static auto& devices = *new std::map<int, std::unique_ptr<CudaDevice>>();
    const std::scoped_lock lock(mutex);
    if (const auto known = devices.find(index); known != devices.end()) return known->second.get();
    LOCKSTEP_ASSIGN(const std::vector<GpuInfo> gpus, find_gpus());
    if (index < 0 || static_cast<size_t>(index) >= gpus.size()) {
        return fail(ErrorKind::invalid_argument,
                    "there is no GPU " + std::to_string(index) + ": this machine has " +
                        std::to_string(gpus.size()) + ", numbered from 0");
    }
    LOCKSTEP_ASSIGN(devices[index], CudaDevice::create(index));
    return devices[index].get();
}

std::vector<KernelPath> make_cuda_paths() {
    return {make_cuda_truth_path(), make_cuda_reference_path(), make_cuda_fused_path()};
}

}  // namespace lockstep
