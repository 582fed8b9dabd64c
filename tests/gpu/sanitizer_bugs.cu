// SPDX-License-Identifier: GPL-3.0-or-later
// One planted bug for each of compute-sanitizer's tools, so that a clean report of our kernels
// means that the tool looked: sanitizer_bugs memcheck|racecheck|initcheck|synccheck
#include <cuda_runtime.h>

#include <cstdio>
#include <cstring>

namespace {

__global__ void write_behind_the_end(int* data, int count) {
    data[threadIdx.x + 64] = count;  // the upper half's elements are not there
}

__global__ void read_a_neighbour_without_a_barrier(int* data) {
    __shared__ int values[128];
    values[threadIdx.x] = data[threadIdx.x];
    data[threadIdx.x] = values[(threadIdx.x + 64) % 128];
}

__global__ void read_what_nobody_wrote(const int* data, int* out) {
    out[threadIdx.x] = data[threadIdx.x] + 1;
}

__global__ void meet_at_a_barrier_without_the_others(int* data) {
    data[threadIdx.x] = 1;
    if (threadIdx.x % 32 < 16) __syncthreads();
    data[threadIdx.x] = 2;
}

}  // namespace

int main(int argc, char** argv) {
    const char* tool = argc > 1 ? argv[1] : "";
    int *data = nullptr, *out = nullptr;
    // In this order: nothing that could be written by mistake follows `data`.
    if (cudaMalloc(&out, 128 * sizeof(int)) != cudaSuccess ||
        cudaMalloc(&data, 128 * sizeof(int)) != cudaSuccess) {
        std::puts("no usable NVIDIA GPU");
        return 77;
    }
    if (!std::strcmp(tool, "memcheck")) {
        write_behind_the_end<<<1, 128>>>(data, 1);
    } else if (!std::strcmp(tool, "racecheck")) {
        cudaMemset(data, 0, 128 * sizeof(int));
        read_a_neighbour_without_a_barrier<<<1, 128>>>(data);
    } else if (!std::strcmp(tool, "initcheck")) {
        read_what_nobody_wrote<<<1, 128>>>(data, out);
    } else if (!std::strcmp(tool, "synccheck")) {
        meet_at_a_barrier_without_the_others<<<1, 128>>>(data);
    } else {
        std::puts("sanitizer_bugs memcheck|racecheck|initcheck|synccheck");
        return 2;
    }
    cudaDeviceSynchronize();
    std::printf("%s: %s\n", tool, cudaGetErrorString(cudaGetLastError()));
    return 0;
}
