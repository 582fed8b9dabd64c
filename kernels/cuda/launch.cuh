// SPDX-License-Identifier: GPL-3.0-or-later
// Starting a kernel, checked; and choosing its element type from a tensor's dtype.
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/cuda_status.h"
#include "kernels/cuda/cuda_stream.h"
#include "kernels/cuda/device_math.cuh"
#include "kernels/dtype.h"

namespace lockstep {

// Shared memory that a block can have on every GPU from sm_80 on (sm_86, sm_89 and sm_120 have no
// more): what takes more asks the stream for its device's own.
constexpr size_t least_shared_bytes = 99 * 1024;

struct Grid {
    dim3 blocks = 1;
    int threads = 256;
    size_t shared_bytes = 0;
    unsigned cluster = 1;  // blocks along x that share their memory (up to 8; sm_90 on)
    // May begin before the kernel before it ends: it waits itself (wait_for_kernel_before).
    bool overlaps = false;
    // All blocks run at once, or none: they wait for each other.
    bool together = false;
};

template <class... Params, class... Args>
Status launch(const char* name, void (*kernel)(Params...), const Grid& grid, CudaStream& stream,
              const Args&... args) {
    // 48 KiB need no asking for, of which a kernel's own fixed arrays take up to 24.
    if (grid.shared_bytes > 24 * 1024) {
        if (Status allowed =
                allow_shared_memory(reinterpret_cast<const void*>(kernel), grid.shared_bytes);
            !allowed)
            return within(std::string("kernel ") + name, std::move(allowed).error());
    }
    cudaLaunchAttribute attributes[3]{};
    unsigned wanted = 0;
    if (grid.overlaps && stream.overlaps_kernels()) {
        attributes[wanted].id = cudaLaunchAttributeProgrammaticStreamSerialization;
        attributes[wanted++].val.programmaticStreamSerializationAllowed = 1;
    }
    if (grid.cluster > 1) {
        attributes[wanted].id = cudaLaunchAttributeClusterDimension;
        attributes[wanted++].val.clusterDim = {grid.cluster, 1, 1};
    }
    if (grid.together) {
        attributes[wanted].id = cudaLaunchAttributeCooperative;
        attributes[wanted++].val.cooperative = 1;
    }
    cudaLaunchConfig_t config{};
    config.gridDim = grid.blocks;
    config.blockDim = dim3(static_cast<unsigned>(grid.threads));
    config.dynamicSmemBytes = grid.shared_bytes;
    config.stream = stream.handle();
    config.attrs = attributes;
    config.numAttrs = wanted;
    return cuda_status(cudaLaunchKernelEx(&config, kernel, static_cast<Params>(args)...),
                       std::string("kernel ") + name);
}

// body(T()) with the type that a floating dtype is on the device.
template <class Body>
Status with_type(DType dtype, const Body& body) {
    switch (dtype) {
        case DType::f32:
            return body(float());
        case DType::f16:
            return body(device::f16());
        case DType::bf16:
            return body(device::bf16());
        default:
            return fail(ErrorKind::unsupported,
                        "no CUDA kernel reads " + std::string(dtype_info(dtype).name));
    }
}
// The same for the dtypes that tensor cores multiply.
template <class Body>
Status with_half_type(DType dtype, const Body& body) {
    switch (dtype) {
        case DType::f16:
            return body(device::f16());
        case DType::bf16:
            return body(device::bf16());
        default:
            return fail(ErrorKind::unsupported, "tensor cores take f16 or bf16, not " +
                                                    std::string(dtype_info(dtype).name));
    }
}

inline unsigned blocks_for(int64_t items, int64_t per_block) {
    return static_cast<unsigned>((items + per_block - 1) / per_block);
}

}  // namespace lockstep
