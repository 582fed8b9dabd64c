// SPDX-License-Identifier: GPL-3.0-or-later
// A GPU's stream: non-blocking, with pinned staging for copies, room for the paths' intermediate
// results, and recorded work (CUDA graphs).
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <vector>

#include "kernels/cuda/cuda_status.h"
#include "kernels/device.h"

namespace lockstep {

class CudaDevice;

class CudaStream final : public Stream {
  public:
    // What a path keeps between the launches of one step. A slot's content lasts for one step.
    enum Slot {
        normed,
        first,
        second,
        third,
        scores,
        partials,
        tickets,
        library,
        exchange,         // of a chain's links (chain.h), and of their parts: read and written by
        exchanged_parts,  // nothing else
        slots
    };

    static Result<std::unique_ptr<Stream>> create(CudaDevice& device);
    ~CudaStream() override;

    // What is queued through it comes behind what is held.
    cudaStream_t handle();
    int multiprocessors() const { return multiprocessors_; }
    // Of its device (CudaDevice).
    bool overlaps_kernels() const { return overlaps_kernels_; }
    bool has_clusters() const { return has_clusters_; }
    size_t shared_bytes() const { return shared_bytes_; }
    // The calling thread's current GPU becomes this stream's: before any launch.
    Status enter() const;
    Status synchronize() override;
    Status keep_pace() override;
    Status replay(uint64_t key, const std::function<Status()>& work) override;
    void forget_replays() override;

    // While a graph is recorded, work may wait for company: `launch` is called before anything else
    // is queued, or at the recording's end. Only one piece of work is held.
    bool recording() const { return recording_ != nullptr; }
    bool holds() const { return held_ != nullptr; }
    void hold(std::function<Status()> launch) { held_ = std::move(launch); }
    Status release_held();
    // Device memory for what recorded work reads: it holds a copy of these bytes, 16-byte aligned,
    // from before the first replay on, as long as the record lasts. Null where there is no more
    // room (records have 256 KiB), or nothing is recorded.
    const void* keep_with_record(const void* host, size_t bytes);

    // At least `bytes` of device memory, 256-byte aligned; it grows, it never shrinks, and what it
    // held is lost when it grows. tickets is zeroed when it is made, and kernels leave it zeroed.
    Result<void*> room(Slot slot, size_t bytes);

    Status copy_in(void* device, const void* host, size_t bytes);
    Status copy_out(void* host, const void* device, size_t bytes);

  private:
    explicit CudaStream(CudaDevice& device);

    // A piece of pinned memory that copies of pageable memory go through.
    struct Staging {
        void* memory = nullptr;
        cudaEvent_t free = nullptr;  // recorded after the last copy that uses it
    };
    Result<Staging*> next_staging();
    Status wait_for(cudaEvent_t event);

    struct Recording {
        uint64_t key = 0;
        cudaGraphExec_t graph = nullptr;  // null: seen once
        Buffer kept;                      // on the device
        std::vector<char> kept_bytes;     // the same, until it is copied there
    };
    Status record(Recording& recording, const std::function<Status()>& work);

    cudaStream_t stream_ = nullptr;
    int multiprocessors_ = 0;
    bool overlaps_kernels_ = false, has_clusters_ = false;
    size_t shared_bytes_ = 0;
    std::array<Buffer, slots> rooms_;
    std::array<Staging, 4> staging_;
    size_t next_staging_ = 0;
    std::array<cudaEvent_t, 4> pace_{};
    size_t next_pace_ = 0;
    std::vector<Recording> recordings_;
    Recording* recording_ = nullptr;  // in progress
    std::function<Status()> held_;
    Status held_status_;  // of work that was released where no status is returned
};

// The stream a CUDA step was given. Paths for a device only ever see streams of that device.
inline CudaStream& cuda_stream(Stream& stream) {
    return static_cast<CudaStream&>(stream);
}

}  // namespace lockstep
