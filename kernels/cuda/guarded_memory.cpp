// SPDX-License-Identifier: GPL-3.0-or-later
// The driver's own memory management: addresses are reserved, and memory is put behind them a
// granule at a time. cuda.h's functions are looked up in the driver, which the runtime has loaded:
// nothing is linked that a machine without one would lack.
#include <cuda.h>
#include <dlfcn.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/opened_library.h"
#include "kernels/user/user_gpu.h"

namespace lockstep {
namespace {

struct Driver {
    std::string problem;
    decltype(&cuMemGetAllocationGranularity) granularity = nullptr;
    decltype(&cuMemAddressReserve) reserve = nullptr;
    decltype(&cuMemAddressFree) free_addresses = nullptr;
    decltype(&cuMemCreate) create = nullptr;
    decltype(&cuMemRelease) release = nullptr;
    decltype(&cuMemMap) map = nullptr;
    decltype(&cuMemUnmap) unmap = nullptr;
    decltype(&cuMemSetAccess) set_access = nullptr;
    decltype(&cuGetErrorString) error_string = nullptr;
};

Driver open_driver() {
    Driver made;
    void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        made.problem = dlerror();
        return made;
    }
    const auto find = [&](const char* name, auto& function) {
        find_function(library, "the NVIDIA driver", name, function, made.problem);
    };
    find("cuMemGetAllocationGranularity", made.granularity);
    find("cuMemAddressReserve", made.reserve);
    find("cuMemAddressFree", made.free_addresses);
    find("cuMemCreate", made.create);
    find("cuMemRelease", made.release);
    find("cuMemMap", made.map);
    find("cuMemUnmap", made.unmap);
    find("cuMemSetAccess", made.set_access);
    find("cuGetErrorString", made.error_string);
    return made;
}

const Driver& driver() {
    static const Driver opened = open_driver();
    return opened;
}

Status driver_status(CUresult result, const char* call) {
    if (result == CUDA_SUCCESS) return {};
    const char* text = nullptr;
    (void)driver().error_string(result, &text);
    const ErrorKind kind =
        result == CUDA_ERROR_OUT_OF_MEMORY ? ErrorKind::out_of_memory : ErrorKind::internal;
    return fail(kind, std::string(call) + ": " + (text ? text : "unknown error"));
}

class CudaGuardedMemory final : public GuardedMemory {
  public:
    explicit CudaGuardedMemory(int index) {
        properties_.type = CU_MEM_ALLOCATION_TYPE_PINNED;
        properties_.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
        properties_.location.id = index;
        access_.location = properties_.location;
        access_.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    }

    ~CudaGuardedMemory() override {
        for (uint64_t at = 0; at < open_.size(); ++at) (void)shut(at);
        if (base_ != 0) (void)driver().free_addresses(base_, bytes_);
    }

    Status reserve(uint64_t bytes) {
        size_t least = 0;
        LOCKSTEP_TRY(driver_status(
            driver().granularity(&least, &properties_, CU_MEM_ALLOC_GRANULARITY_MINIMUM),
            "cuMemGetAllocationGranularity"));
        if (least == 0 || granule % least != 0) {
            return fail(ErrorKind::unsupported,
                        "this GPU's memory comes in pieces of " + std::to_string(least) + " bytes");
        }
        const uint64_t whole = (bytes + granule - 1) / granule * granule;
        LOCKSTEP_TRY(
            driver_status(driver().reserve(&base_, whole, granule, 0, 0), "cuMemAddressReserve"));
        bytes_ = whole;
        open_.resize(whole / granule);
        return {};
    }

    Status open(std::span<const Range> ranges, bool guarded) override {
        if (guarded) {
            for (const Range& range : ranges) {
                const uint64_t first = range.first / granule;
                if (first > 0) LOCKSTEP_TRY(shut(first - 1));
                LOCKSTEP_TRY(shut(end_of(range)));
            }
        }
        for (const Range& range : ranges) {
            for (uint64_t at = range.first / granule; at < end_of(range); ++at)
                LOCKSTEP_TRY(open(at));
        }
        return {};
    }

    std::byte* base() const override { return reinterpret_cast<std::byte*>(base_); }
    uint64_t bytes() const override { return bytes_; }

  private:
    static uint64_t end_of(const Range& range) {
        return (range.first + range.bytes + granule - 1) / granule;
    }

    Status open(uint64_t at) {
        if (at >= open_.size()) return fail(ErrorKind::internal, "outside the reserved addresses");
        if (open_[at]) return {};
        CUmemGenericAllocationHandle memory = 0;
        LOCKSTEP_TRY(
            driver_status(driver().create(&memory, granule, &properties_, 0), "cuMemCreate"));
        const CUdeviceptr address = base_ + at * granule;
        if (Status mapped = driver_status(driver().map(address, granule, 0, memory, 0), "cuMemMap");
            !mapped) {
            (void)driver().release(memory);
            return mapped;
        }
        open_[at] = memory;
        return driver_status(driver().set_access(address, granule, &access_, 1), "cuMemSetAccess");
    }

    Status shut(uint64_t at) {
        if (at >= open_.size() || !open_[at]) return {};
        LOCKSTEP_TRY(driver_status(driver().unmap(base_ + at * granule, granule), "cuMemUnmap"));
        const CUmemGenericAllocationHandle memory = *std::exchange(open_[at], std::nullopt);
        return driver_status(driver().release(memory), "cuMemRelease");
    }

    CUmemAllocationProp properties_{};
    CUmemAccessDesc access_{};
    CUdeviceptr base_ = 0;
    uint64_t bytes_ = 0;
    std::vector<std::optional<CUmemGenericAllocationHandle>> open_;  // by granule
};

}  // namespace

Result<std::unique_ptr<GuardedMemory>> reserve_guarded_memory(uint64_t bytes, Device& device) {
    if (device.kind() != DeviceKind::cuda)
        return fail(ErrorKind::invalid_argument, "guarded memory is a GPU's");
    const auto& gpu = static_cast<const CudaDevice&>(device);
    LOCKSTEP_TRY(gpu.enter());  // the driver's calls below are for the thread's current context
    if (!driver().problem.empty()) return fail(ErrorKind::unsupported, driver().problem);
    auto memory = std::make_unique<CudaGuardedMemory>(gpu.index());
    LOCKSTEP_TRY(memory->reserve(bytes));
    return memory;
}

}  // namespace lockstep
