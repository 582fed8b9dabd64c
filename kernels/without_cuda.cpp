// SPDX-License-Identifier: GPL-3.0-or-later
// What a build without CUDA says of GPUs.
#include "kernels/bandwidth.h"
#include "kernels/gpu_info.h"
#include "kernels/kernel_path.h"
#include "kernels/user/user_gpu.h"

namespace lockstep {

Result<std::vector<GpuInfo>> find_gpus() {
    return fail(ErrorKind::unsupported, "this program was built without CUDA");
}

Result<Device*> cuda_device(int) {
    return fail(ErrorKind::unsupported, "this program was built without CUDA");
}

Result<double> measure_cuda_bandwidth(Stream&, int) {
    return fail(ErrorKind::unsupported, "this program was built without CUDA");
}

std::vector<KernelPath> make_cuda_paths() {
    return {};
}

Result<void*> native_stream(Stream&) {
    return fail(ErrorKind::unsupported, "this program was built without CUDA");
}

int device_index(const Device&) {
    return 0;
}

Status wait_for_kernel(Stream&) {
    return fail(ErrorKind::unsupported, "this program was built without CUDA");
}

Result<std::unique_ptr<DefaultStreamHold>> make_default_stream_hold(Device&) {
    return fail(ErrorKind::unsupported, "this program was built without CUDA");
}

Result<std::vector<uint64_t>> fingerprints(std::span<const DeviceBytes>, Stream&) {
    return fail(ErrorKind::unsupported, "this program was built without CUDA");
}

Result<std::unique_ptr<GuardedMemory>> reserve_guarded_memory(uint64_t, Device&) {
    return fail(ErrorKind::unsupported, "this program was built without CUDA");
}

}  // namespace lockstep
