// SPDX-License-Identifier: GPL-3.0-or-later
// What a build without CUDA says of GPUs.
#include "kernels/bandwidth.h"
#include "kernels/gpu_info.h"
#include "kernels/kernel_path.h"

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

}  // namespace lockstep
