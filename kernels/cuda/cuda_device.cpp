// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/cuda_device.h"

#include <map>
#include <mutex>
#include <utility>

#include "kernels/cuda/cuda_status.h"
#include "kernels/cuda/cuda_stream.h"
#include "kernels/cuda/kernel_image.h"

namespace lockstep {

bool is_pinned(const void* memory) {
    cudaPointerAttributes attributes{};
    if (cudaPointerGetAttributes(&attributes, memory) == cudaSuccess)
        return attributes.type == cudaMemoryTypeHost;
    (void)cudaGetLastError();
    return false;
}

Status allow_shared_memory(const void* kernel, size_t bytes) {
    static std::mutex mutex;
    static std::map<std::pair<int, const void*>, size_t> allowed;
    int index = 0;
    LOCKSTEP_CUDA(cudaGetDevice(&index));
    const std::scoped_lock lock(mutex);
    size_t& now = allowed[{index, kernel}];
    if (bytes <= now) return {};
    LOCKSTEP_TRY(cuda_status(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(bytes)),
        "cudaFuncSetAttribute of " + std::to_string(bytes) + " bytes of shared memory"));
    now = bytes;
    return {};
}

Result<std::unique_ptr<CudaDevice>> CudaDevice::create(int index) {
    std::unique_ptr<CudaDevice> device(new CudaDevice(index));
    LOCKSTEP_TRY(device->enter());
    cudaDeviceProp properties{};
    LOCKSTEP_CUDA(cudaGetDeviceProperties(&properties, index));
    device->name_ = properties.name;
    device->multiprocessors_ = properties.multiProcessorCount;
    const int architecture = kernel_architecture();
    device->overlaps_kernels_ = properties.major >= 9 && architecture >= 90;
    device->has_clusters_ = device->overlaps_kernels_ && properties.clusterLaunch != 0;
    device->shared_bytes_ = properties.sharedMemPerBlockOptin;
    if (architecture == 0) {
        return fail(ErrorKind::unsupported,
                    "no usable NVIDIA GPU: this program was not built for an " + device->name_ +
                        " (sm_" + std::to_string(properties.major) +
                        std::to_string(properties.minor) + "): add it to CMAKE_CUDA_ARCHITECTURES");
    }
    if (!properties.memoryPoolsSupported)
        return fail(ErrorKind::unsupported, device->name_ + " has no stream-ordered memory");
    LOCKSTEP_CUDA(cudaStreamCreateWithFlags(&device->allocations_, cudaStreamNonBlocking));
    cudaMemPoolProps wanted{};
    wanted.allocType = cudaMemAllocationTypePinned;
    wanted.location.type = cudaMemLocationTypeDevice;
    wanted.location.id = index;
    LOCKSTEP_CUDA(cudaMemPoolCreate(&device->pool_, &wanted));
    return device;
}

CudaDevice::~CudaDevice() {
    if (!enter()) return;
    if (pool_) (void)cudaMemPoolDestroy(pool_);
    if (allocations_) (void)cudaStreamDestroy(allocations_);
}

Status CudaDevice::enter() const {
    LOCKSTEP_TRY(cuda_usable());
    LOCKSTEP_CUDA(cudaSetDevice(index_));
    return {};
}

size_t CudaDevice::free_memory() const {
    size_t free = 0, total = 0;
    if (!enter() || cudaMemGetInfo(&free, &total) != cudaSuccess) return 0;
    uint64_t reserved = 0, used = 0;  // what the pool keeps of what was given back
    if (cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemCurrent, &reserved) ==
            cudaSuccess &&
        cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrUsedMemCurrent, &used) == cudaSuccess)
        free += reserved - used;
    return free;
}

Result<Buffer> CudaDevice::allocate(size_t bytes) {
    if (bytes == 0) return Buffer();
    if (on_allocation) LOCKSTEP_TRY(on_allocation(bytes));
    LOCKSTEP_TRY(enter());
    void* data = nullptr;
    const cudaError_t error = cudaMallocFromPoolAsync(&data, bytes, pool_, allocations_);
    if (error == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError();
        return fail(ErrorKind::out_of_memory, "could not allocate " + std::to_string(bytes) +
                                                  " bytes on " + name_ + ", " +
                                                  std::to_string(free_memory()) + " are free");
    }
    LOCKSTEP_TRY(cuda_status(error, "cudaMallocFromPoolAsync"));
    Buffer buffer(this, data, bytes);
    LOCKSTEP_CUDA(cudaMemsetAsync(data, 0, bytes, allocations_));
    LOCKSTEP_TRY(wait_for_gpu([this] { return cudaStreamQuery(allocations_); }, nullptr,
                              "zeroing new memory"));
    return buffer;
}

Result<Buffer> CudaDevice::allocate_host(size_t bytes) {
    if (bytes == 0) return Buffer();
    if (on_allocation) LOCKSTEP_TRY(on_allocation(bytes));
    LOCKSTEP_TRY(enter());
    void* data = nullptr;
    LOCKSTEP_TRY(cuda_status(cudaMallocHost(&data, bytes),
                             "cudaMallocHost of " + std::to_string(bytes) + " bytes"));
    return Buffer(this, data, bytes);
}

// Work that still uses the memory is waited for: whichever stream it was queued on.
void CudaDevice::release(void* data, size_t) noexcept {
    if (!enter()) return;
    if (is_pinned(data)) {
        (void)cudaFreeHost(data);
        return;
    }
    (void)cudaDeviceSynchronize();
    (void)cudaFreeAsync(data, allocations_);
    (void)cudaStreamSynchronize(allocations_);
    (void)cudaGetLastError();
}

Result<std::unique_ptr<Stream>> CudaDevice::make_stream(int) {
    return CudaStream::create(*this);
}

Status CudaDevice::copy_to_host(void* host, const void* device, size_t bytes, Stream& stream) {
    return cuda_stream(stream).copy_out(host, device, bytes);
}

Status CudaDevice::copy_from_host(void* device, const void* host, size_t bytes, Stream& stream) {
    return cuda_stream(stream).copy_in(device, host, bytes);
}

Status CudaDevice::copy(void* to, const void* from, size_t bytes, Stream& stream) {
    if (bytes == 0) return {};
    LOCKSTEP_TRY(enter());
    LOCKSTEP_CUDA(
        cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, cuda_stream(stream).handle()));
    return {};
}

}  // namespace lockstep
