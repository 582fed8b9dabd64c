// SPDX-License-Identifier: GPL-3.0-or-later
// What running a user's kernel on a GPU takes beyond Device and Stream. A build without CUDA
// answers `unsupported`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/device.h"
#include "kernels/status.h"

namespace lockstep {

// The cudaStream_t of a GPU's stream. That GPU becomes the calling thread's current one.
Result<void*> native_stream(Stream& stream);
// Which GPU of the machine; 0 for the CPU.
int device_index(const Device& device);

// Waits for what a user's kernel has queued. The error says in words what it did; after one, the
// process's GPU is of no more use.
Status wait_for_kernel(Stream& stream);

// A GPU's default stream, kept busy until it is let go or a fifth of a second is over. What a
// kernel launches there, or on a stream that waits for that one, instead of on the one that it was
// given, has not run until then. What waits for the whole GPU is held up, too.
class DefaultStreamHold {
  public:
    virtual ~DefaultStreamHold() = default;
    virtual Status begin() = 0;
    // Whether it is still kept busy.
    virtual bool holds() const = 0;
    // Waits for the whole GPU. Errors as wait_for_kernel's.
    virtual Status let_go() = 0;
};

Result<std::unique_ptr<DefaultStreamHold>> make_default_stream_hold(Device& device);

struct DeviceBytes {
    const void* data = nullptr;
    uint64_t bytes = 0;
};
// For each a number that stands for what lies there: other bytes have another one, but for chance
// (1 in 2^64). Reads at the memory's own speed.
Result<std::vector<uint64_t>> fingerprints(std::span<const DeviceBytes> all, Stream& stream);

// A range of a GPU's addresses of which only what is opened is memory: a kernel that goes astray
// anywhere else is stopped by the GPU itself.
class GuardedMemory {
  public:
    // What can be opened or shut: a multiple of the GPU's own pages.
    static constexpr uint64_t granule = uint64_t{2} << 20;

    struct Range {
        uint64_t first = 0, bytes = 0;  // offsets; what they touch of a granule is all of it
    };

    virtual ~GuardedMemory() = default;
    // Opens the ranges; with `guarded`, shuts the granules before and after each. What is open
    // elsewhere stays so. Nothing may be running that uses the memory.
    virtual Status open(std::span<const Range> ranges, bool guarded) = 0;
    virtual std::byte* base() const = 0;
    virtual uint64_t bytes() const = 0;
};

Result<std::unique_ptr<GuardedMemory>> reserve_guarded_memory(uint64_t bytes, Device& device);

}  // namespace lockstep
