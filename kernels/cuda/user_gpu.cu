// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/user/user_gpu.h"

#include <algorithm>
#include <string>
#include <utility>

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/cuda_status.h"
#include "kernels/cuda/cuda_stream.h"

namespace lockstep {
namespace {

constexpr int threads = 256;

// splitmix64's last step: every bit of the result depends on every bit of x.
__device__ uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

// A sum over the words, each mixed with its place: the order of the additions does not matter.
template <class Word>
__global__ void add_words(const Word* words, uint64_t count, unsigned long long* sum) {
    uint64_t own = 0;
    const uint64_t stride = static_cast<uint64_t>(gridDim.x) * threads;
    for (uint64_t i = static_cast<uint64_t>(blockIdx.x) * threads + threadIdx.x; i < count;
         i += stride)
        own += mix(mix(i + 1) ^ static_cast<uint64_t>(words[i]));
    for (int lane = 16; lane > 0; lane /= 2) own += __shfl_xor_sync(0xffffffffu, own, lane);
    if (threadIdx.x % 32 == 0) atomicAdd(sum, static_cast<unsigned long long>(own));
}

Status add_bytes(const DeviceBytes& range, unsigned long long* sum, CudaStream& stream) {
    const bool by_words = reinterpret_cast<uintptr_t>(range.data) % 4 == 0 && range.bytes % 4 == 0;
    const uint64_t count = by_words ? range.bytes / 4 : range.bytes;
    const uint64_t most = 8u * static_cast<uint64_t>(stream.multiprocessors());
    const auto blocks = static_cast<unsigned>(std::clamp<uint64_t>(count / threads, 1, most));
    if (by_words) {
        add_words<<<blocks, threads, 0, stream.handle()>>>(static_cast<const uint32_t*>(range.data),
                                                           count, sum);
    } else {
        add_words<<<blocks, threads, 0, stream.handle()>>>(static_cast<const uint8_t*>(range.data),
                                                           count, sum);
    }
    LOCKSTEP_CUDA(cudaGetLastError());
    return {};
}

std::string in_words(cudaError_t error) {
    switch (error) {
        case cudaErrorIllegalAddress:
            return "it read or wrote memory that is none of the call's (illegal address)";
        case cudaErrorMisalignedAddress:
            return "it read or wrote at an address that its width does not divide (misaligned "
                   "address)";
        case cudaErrorAssert:
            return "an assert() in it failed";
        default:
            return cudaGetErrorString(error);
    }
}

Status status_of_kernel(cudaError_t error) {
    if (error == cudaSuccess) return {};
    return fail(ErrorKind::internal, "crashed on the GPU: " + in_words(error));
}

constexpr uint64_t longest_hold_ns = 200'000'000;

__device__ uint64_t nanoseconds() {
    uint64_t now;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    return now;
}

// Until *go, and says at the end that it is over.
__global__ void hold(const volatile int* go, volatile int* over) {
    const uint64_t first = nanoseconds();
    while (*go == 0 && nanoseconds() - first < longest_hold_ns) __nanosleep(1000);
    *over = 1;
}

class CudaDefaultStreamHold final : public DefaultStreamHold {
  public:
    CudaDefaultStreamHold(CudaDevice& device, Buffer words)
        : device_(device), words_(std::move(words)) {}
    ~CudaDefaultStreamHold() override { (void)let_go(); }

    Status begin() override {
        LOCKSTEP_TRY(device_.enter());
        go() = 0;
        over() = 0;
        hold<<<1, 1, 0, cudaStreamLegacy>>>(&go(), &over());
        LOCKSTEP_CUDA(cudaGetLastError());
        begun_ = true;
        return {};
    }
    bool holds() const override { return begun_ && over() == 0; }
    Status let_go() override {
        if (!begun_) return {};
        begun_ = false;
        go() = 1;
        LOCKSTEP_TRY(device_.enter());
        return status_of_kernel(cudaDeviceSynchronize());
    }

  private:
    volatile int& go() const { return static_cast<volatile int*>(words_.data())[0]; }
    volatile int& over() const { return static_cast<volatile int*>(words_.data())[16]; }

    CudaDevice& device_;
    Buffer words_;  // in the host's memory
    bool begun_ = false;
};

}  // namespace

Result<void*> native_stream(Stream& stream) {
    CudaStream& own = cuda_stream(stream);
    LOCKSTEP_TRY(own.enter());
    return static_cast<void*>(own.handle());
}

int device_index(const Device& device) {
    if (device.kind() == DeviceKind::cpu) return 0;
    return static_cast<const CudaDevice&>(device).index();
}

Status wait_for_kernel(Stream& stream) {
    CudaStream& own = cuda_stream(stream);
    LOCKSTEP_TRY(own.enter());
    return status_of_kernel(cudaStreamSynchronize(own.handle()));
}

Result<std::unique_ptr<DefaultStreamHold>> make_default_stream_hold(Device& device) {
    LOCKSTEP_ASSIGN(Buffer words, device.allocate_host(32 * sizeof(int)));
    return std::make_unique<CudaDefaultStreamHold>(static_cast<CudaDevice&>(device),
                                                   std::move(words));
}

Result<std::vector<uint64_t>> fingerprints(std::span<const DeviceBytes> all, Stream& stream) {
    std::vector<uint64_t> results(all.size());
    if (all.empty()) return results;
    CudaStream& own = cuda_stream(stream);
    LOCKSTEP_TRY(own.enter());
    const size_t bytes = all.size() * sizeof(uint64_t);
    LOCKSTEP_ASSIGN(const Buffer room, stream.device().allocate(bytes));
    for (size_t i = 0; i < all.size(); ++i)
        LOCKSTEP_TRY(add_bytes(all[i], static_cast<unsigned long long*>(room.data()) + i, own));
    LOCKSTEP_TRY(stream.device().copy_to_host(results.data(), room.data(), bytes, stream));
    LOCKSTEP_TRY(stream.synchronize());
    return results;
}

}  // namespace lockstep
