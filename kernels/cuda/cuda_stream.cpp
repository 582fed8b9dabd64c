// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/cuda_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/cuda/cuda_device.h"

namespace lockstep {
namespace {

constexpr size_t staging_bytes = size_t{4} << 20;
constexpr size_t small_bytes = 4096;  // the driver takes so little along with the command
constexpr size_t most_recordings = 4;
constexpr size_t most_kept_bytes = 256 * 1024;

CudaDevice& gpu_of(const Stream& stream) {
    return static_cast<CudaDevice&>(stream.device());
}

}  // namespace

CudaStream::CudaStream(CudaDevice& device)
    : Stream(device),
      multiprocessors_(device.multiprocessors()),
      overlaps_kernels_(device.overlaps_kernels()),
      has_clusters_(device.has_clusters()),
      shared_bytes_(device.shared_bytes()) {}

Result<std::unique_ptr<Stream>> CudaStream::create(CudaDevice& device) {
    std::unique_ptr<CudaStream> stream(new CudaStream(device));
    LOCKSTEP_TRY(stream->enter());
    LOCKSTEP_CUDA(cudaStreamCreateWithFlags(&stream->stream_, cudaStreamNonBlocking));
    return stream;
}

// Where CUDA is given up, everything is left behind: the driver would not take it back.
CudaStream::~CudaStream() {
    if (stream_) (void)synchronize();
    drop_states();
    forget_replays();
    if (!enter()) return;
    for (const cudaEvent_t event : pace_) {
        if (event) (void)cudaEventDestroy(event);
    }
    for (Staging& staging : staging_) {
        if (staging.free) (void)cudaEventDestroy(staging.free);
        if (staging.memory) (void)cudaFreeHost(staging.memory);
    }
    if (stream_) (void)cudaStreamDestroy(stream_);
}

Status CudaStream::enter() const {
    return gpu_of(*this).enter();
}

cudaStream_t CudaStream::handle() {
    if (held_ && held_status_) held_status_ = release_held();
    return stream_;
}

Status CudaStream::release_held() {
    if (!held_) return {};
    const auto launch = std::exchange(held_, nullptr);
    return launch();
}

const void* CudaStream::keep_with_record(const void* host, size_t bytes) {
    if (!recording_) return nullptr;
    std::vector<char>& kept = recording_->kept_bytes;
    const size_t at = (kept.size() + 15) / 16 * 16;
    if (at + bytes > most_kept_bytes) return nullptr;
    kept.resize(at + bytes);
    std::memcpy(kept.data() + at, host, bytes);
    return static_cast<const char*>(recording_->kept.data()) + at;
}

Status CudaStream::synchronize() {
    LOCKSTEP_TRY(enter());
    return wait_for_gpu([this] { return cudaStreamQuery(stream_); }, stop_flag(), "its work");
}

Status CudaStream::wait_for(cudaEvent_t event) {
    return wait_for_gpu([event] { return cudaEventQuery(event); }, stop_flag(), "its work");
}

// The host may be as many layers ahead as there are events: enough to keep the GPU busy.
Status CudaStream::keep_pace() {
    if (recording_) return {};
    LOCKSTEP_TRY(enter());
    cudaEvent_t& event = pace_[next_pace_];
    next_pace_ = (next_pace_ + 1) % pace_.size();
    if (event) {
        LOCKSTEP_TRY(wait_for(event));
    } else {
        LOCKSTEP_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    }
    LOCKSTEP_CUDA(cudaEventRecord(event, stream_));
    return {};
}

Result<void*> CudaStream::room(Slot slot, size_t bytes) {
    Buffer& buffer = rooms_[slot];
    if (buffer.bytes() >= bytes) return buffer.data();
    if (recording_)
        return fail(ErrorKind::internal, "a step needs more memory when recorded than when run");
    LOCKSTEP_TRY(synchronize());
    forget_replays();
    buffer = Buffer();
    LOCKSTEP_ASSIGN(buffer, device().allocate((bytes + 255) / 256 * 256));
    return buffer.data();
}

Result<CudaStream::Staging*> CudaStream::next_staging() {
    Staging& staging = staging_[next_staging_];
    next_staging_ = (next_staging_ + 1) % staging_.size();
    if (!staging.memory) {
        const CudaDevice& gpu = gpu_of(*this);
        if (gpu.on_allocation) LOCKSTEP_TRY(gpu.on_allocation(staging_bytes));
        LOCKSTEP_CUDA(cudaMallocHost(&staging.memory, staging_bytes));
    }
    if (!staging.free) {
        LOCKSTEP_CUDA(cudaEventCreateWithFlags(&staging.free, cudaEventDisableTiming));
    }
    LOCKSTEP_TRY(wait_for(staging.free));
    return &staging;
}

Status CudaStream::copy_in(void* device, const void* host, size_t bytes) {
    if (bytes == 0) return {};
    LOCKSTEP_TRY(enter());
    if (bytes <= small_bytes || is_pinned(host)) {
        LOCKSTEP_CUDA(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, handle()));
        return {};
    }
    for (size_t done = 0; done < bytes; done += staging_bytes) {
        const size_t count = std::min(staging_bytes, bytes - done);
        LOCKSTEP_ASSIGN(Staging* const staging, next_staging());
        std::memcpy(staging->memory, static_cast<const char*>(host) + done, count);
        LOCKSTEP_CUDA(cudaMemcpyAsync(static_cast<char*>(device) + done, staging->memory, count,
                                      cudaMemcpyHostToDevice, handle()));
        LOCKSTEP_CUDA(cudaEventRecord(staging->free, stream_));
    }
    return {};
}

Status CudaStream::copy_out(void* host, const void* device, size_t bytes) {
    if (bytes == 0) return {};
    LOCKSTEP_TRY(enter());
    if (is_pinned(host)) {
        LOCKSTEP_CUDA(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, handle()));
        return {};
    }
    // One piece is on its way while the one before it is taken out of its staging.
    Staging* before = nullptr;
    size_t before_at = 0, before_count = 0;
    const auto take = [&]() -> Status {
        if (!before) return {};
        LOCKSTEP_TRY(wait_for(before->free));
        std::memcpy(static_cast<char*>(host) + before_at, before->memory, before_count);
        return {};
    };
    for (size_t done = 0; done < bytes; done += staging_bytes) {
        const size_t count = std::min(staging_bytes, bytes - done);
        LOCKSTEP_ASSIGN(Staging* const staging, next_staging());
        LOCKSTEP_CUDA(cudaMemcpyAsync(staging->memory, static_cast<const char*>(device) + done,
                                      count, cudaMemcpyDeviceToHost, handle()));
        LOCKSTEP_CUDA(cudaEventRecord(staging->free, stream_));
        LOCKSTEP_TRY(take());
        before = staging;
        before_at = done;
        before_count = count;
    }
    return take();
}

void CudaStream::forget_replays() {
    if (recordings_.empty()) return;
    const bool usable = synchronize().has_value();
    for (const Recording& recording : recordings_) {
        if (usable && recording.graph) (void)cudaGraphExecDestroy(recording.graph);
    }
    recordings_.clear();
}

Status CudaStream::record(Recording& recording, const std::function<Status()>& work) {
    LOCKSTEP_ASSIGN(recording.kept, device().allocate(most_kept_bytes));
    recording.kept_bytes.clear();
    LOCKSTEP_CUDA(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    recording_ = &recording;
    held_status_ = {};
    Status queued = work();
    if (queued) queued = release_held();
    if (queued) queued = held_status_;
    held_ = nullptr;
    recording_ = nullptr;
    cudaGraph_t graph = nullptr;
    const cudaError_t ended = cudaStreamEndCapture(stream_, &graph);
    if (!queued) {
        if (graph) (void)cudaGraphDestroy(graph);
        (void)cudaGetLastError();
        return queued;
    }
    LOCKSTEP_TRY(cuda_status(ended, "cudaStreamEndCapture"));
    cudaGraphExec_t executable = nullptr;
    const cudaError_t made = cudaGraphInstantiate(&executable, graph, 0);
    (void)cudaGraphDestroy(graph);
    LOCKSTEP_TRY(cuda_status(made, "cudaGraphInstantiate"));
    Status copied =
        copy_in(recording.kept.data(), recording.kept_bytes.data(), recording.kept_bytes.size());
    if (copied) {
        recording.graph = executable;
    } else {  // never replayed without what it reads
        (void)cudaGraphExecDestroy(executable);
    }
    return copied;
}

// The first time work is only run: what it allocates and sets up at first use cannot be recorded.
Status CudaStream::replay(uint64_t key, const std::function<Status()>& work) {
    LOCKSTEP_TRY(enter());
    const auto known = [&] {
        return std::find_if(recordings_.begin(), recordings_.end(),
                            [&](const Recording& recording) { return recording.key == key; });
    };
    if (known() == recordings_.end()) {
        LOCKSTEP_TRY(work());
        if (recordings_.size() >= most_recordings) forget_replays();
        recordings_.push_back({key, nullptr, {}, {}});
        return {};
    }
    if (!known()->graph) {
        LOCKSTEP_TRY(record(*known(), work));
    }
    LOCKSTEP_CUDA(cudaGraphLaunch(known()->graph, stream_));
    return {};
}

}  // namespace lockstep
