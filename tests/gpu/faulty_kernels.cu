// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/gpu/faulty_kernels.h"

#include "kernels/cuda/launch.cuh"

namespace lockstep::test {
namespace {

__global__ void write_nowhere(int* nowhere) {
    nowhere[threadIdx.x] = 1;
}

__global__ void run_endlessly(const volatile int* stop) {
    while (*stop == 0) {
    }
}

Status launch_fault(FaultyKernel kernel, CudaStream& stream) {
    LOCKSTEP_TRY(stream.enter());
    if (kernel == FaultyKernel::illegal_address)
        return launch("write nowhere", write_nowhere, {}, stream, reinterpret_cast<int*>(64));
    LOCKSTEP_ASSIGN(void* const never, stream.room(CudaStream::third, sizeof(int)));
    LOCKSTEP_CUDA(cudaMemsetAsync(never, 0, sizeof(int), stream.handle()));
    return launch("run endlessly", run_endlessly, {}, stream,
                  static_cast<const volatile int*>(never));
}

}  // namespace

std::shared_ptr<const KernelPath> faulty_path(FaultyKernel kernel, int64_t call) {
    auto path = std::make_shared<KernelPath>(*find_kernel_path(DeviceKind::cuda, "fused"));
    path->name = "faulty";
    path->replayable = 0;
    auto calls = std::make_shared<int64_t>(0);
    path->down = [kernel, call, calls, down = path->down](const DownArgs& args,
                                                          Stream& stream) -> Status {
        if (++*calls == call) LOCKSTEP_TRY(launch_fault(kernel, cuda_stream(stream)));
        return down(args, stream);
    };
    return path;
}

}  // namespace lockstep::test
