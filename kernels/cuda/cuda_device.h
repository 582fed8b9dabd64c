// SPDX-License-Identifier: GPL-3.0-or-later
// A GPU as a device: memory from its stream-ordered pool, zeroed, and streams.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

#include "kernels/cuda/cuda_status.h"
#include "kernels/device.h"

namespace lockstep {

class CudaDevice final : public Device {
  public:
    static Result<std::unique_ptr<CudaDevice>> create(int index);
    ~CudaDevice() override;

    int index() const { return index_; }
    int multiprocessors() const { return multiprocessors_; }
    // Programmatic dependent launch, and clusters of blocks: sm_90 brought both. The kernels must
    // have been compiled for it, too.
    bool overlaps_kernels() const { return overlaps_kernels_; }
    bool has_clusters() const { return has_clusters_; }
    // Shared memory that a block can have: 227 KiB on sm_90 and sm_100, 163 on sm_80, 99 on sm_86,
    // sm_89 and sm_120.
    size_t shared_bytes() const { return shared_bytes_; }
    // The calling thread's current GPU becomes this one.
    Status enter() const;

    DeviceKind kind() const override { return DeviceKind::cuda; }
    std::string name() const override { return name_; }
    size_t free_memory() const override;
    Status usable() const override { return cuda_usable(); }
    void give_up(const Error& why) override { give_up_cuda(why); }
    Result<Buffer> allocate(size_t bytes) override;
    Result<Buffer> allocate_host(size_t bytes) override;
    void release(void* data, size_t bytes) noexcept override;
    Result<std::unique_ptr<Stream>> make_stream(int threads) override;
    Status copy_to_host(void* host, const void* device, size_t bytes, Stream& stream) override;
    Status copy_from_host(void* device, const void* host, size_t bytes, Stream& stream) override;
    Status copy(void* to, const void* from, size_t bytes, Stream& stream) override;

    // For tests: asked before each allocation, of either kind; what it says goes.
    std::function<Status(size_t bytes)> on_allocation;

  private:
    explicit CudaDevice(int index) : index_(index) {}

    int index_;
    int multiprocessors_ = 0;
    bool overlaps_kernels_ = false, has_clusters_ = false;
    size_t shared_bytes_ = 0;
    std::string name_;
    cudaStream_t allocations_ = nullptr;  // the order in which the pool gives and takes
    cudaMemPool_t pool_ = nullptr;
};

// Whether a pointer is pinned memory of the host, which copies reach without staging.
bool is_pinned(const void* memory);

// Lets the kernel's blocks have so much shared memory on the thread's current GPU. That is a
// property of the kernel, which all threads share: it is raised, and never lowered between another
// thread's asking and its launch.
Status allow_shared_memory(const void* kernel, size_t bytes);

}  // namespace lockstep
