// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/kernel_image.h"

#include <cuda_runtime.h>

namespace lockstep {
namespace {

__global__ void any_kernel() {}

}  // namespace

bool has_kernels_for_this_gpu() {
    cudaFuncAttributes attributes{};
    const bool found = cudaFuncGetAttributes(&attributes, any_kernel) == cudaSuccess;
    if (!found) (void)cudaGetLastError();
    return found;
}

}  // namespace lockstep
