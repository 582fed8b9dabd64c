// SPDX-License-Identifier: GPL-3.0-or-later
// A GPU's read bandwidth: every multiprocessor sums its share of a buffer that is many times the
// L2's size, timed by events.
#include "kernels/bandwidth.h"

#include <algorithm>
#include <vector>

#include "kernels/cuda/launch.cuh"

namespace lockstep {
namespace {

constexpr size_t buffer_bytes = size_t{2} << 30;
constexpr int loads = 8;  // of 16 bytes, in flight together

__global__ __launch_bounds__(512) void read_kernel(const uint4* data, size_t count, uint32_t* out) {
    const size_t threads = static_cast<size_t>(gridDim.x) * blockDim.x;
    uint32_t sum = 0;
    size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    for (; i + (loads - 1) * threads < count; i += loads * threads) {
        device::Eight<device::bf16> read[loads];
#pragma unroll
        for (int u = 0; u < loads; ++u)
            read[u] = device::load_streaming(
                reinterpret_cast<const device::bf16*>(data + i + u * threads));
#pragma unroll
        for (int u = 0; u < loads; ++u)
            sum += read[u].word[0] ^ read[u].word[1] ^ read[u].word[2] ^ read[u].word[3];
    }
    if (sum == 0x12345678u) *out = sum;  // never, but the compiler cannot know
}

struct BandwidthBuffer {
    Buffer memory;
    cudaEvent_t begin = nullptr, end = nullptr;
    explicit BandwidthBuffer(Stream&) {}
    ~BandwidthBuffer() {
        if (begin) (void)cudaEventDestroy(begin);
        if (end) (void)cudaEventDestroy(end);
    }
    Status prepare(CudaStream& stream) {
        LOCKSTEP_TRY(stream.enter());
        if (end) return {};
        LOCKSTEP_ASSIGN(memory, stream.device().allocate(buffer_bytes));
        LOCKSTEP_CUDA(cudaEventCreate(&begin));
        LOCKSTEP_CUDA(cudaEventCreate(&end));
        return {};
    }
};

Result<double> seconds_of_a_pass(BandwidthBuffer& buffer, CudaStream& stream) {
    Grid grid;
    grid.blocks = dim3(static_cast<unsigned>(4 * stream.multiprocessors()));
    grid.threads = 512;
    LOCKSTEP_CUDA(cudaEventRecord(buffer.begin, stream.handle()));
    LOCKSTEP_TRY(launch("read bandwidth", read_kernel, grid, stream,
                        static_cast<const uint4*>(buffer.memory.data()),
                        buffer_bytes / sizeof(uint4),
                        static_cast<uint32_t*>(buffer.memory.data())));
    LOCKSTEP_CUDA(cudaEventRecord(buffer.end, stream.handle()));
    LOCKSTEP_CUDA(cudaEventSynchronize(buffer.end));
    float milliseconds = 0;
    LOCKSTEP_CUDA(cudaEventElapsedTime(&milliseconds, buffer.begin, buffer.end));
    return milliseconds / 1e3;
}

}  // namespace

Result<double> measure_cuda_bandwidth(Stream& any_stream, int passes) {
    CudaStream& stream = cuda_stream(any_stream);
    BandwidthBuffer& buffer = any_stream.state<BandwidthBuffer>();
    LOCKSTEP_TRY(buffer.prepare(stream));
    LOCKSTEP_TRY(seconds_of_a_pass(buffer, stream));
    std::vector<double> seconds;
    for (int pass = 0; pass < passes; ++pass) {
        LOCKSTEP_ASSIGN(const double one, seconds_of_a_pass(buffer, stream));
        seconds.push_back(one);
    }
    const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
    std::nth_element(seconds.begin(), middle, seconds.end());
    return static_cast<double>(buffer_bytes) / *middle / 1e9;
}

}  // namespace lockstep
