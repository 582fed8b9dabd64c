// SPDX-License-Identifier: GPL-3.0-or-later
// The CPU's stream: a pool of threads made once. Steps run at once and in order.
#pragma once

#include <atomic>

#include "kernels/cpu/thread_pool.h"
#include "kernels/device.h"

namespace lockstep {

class CpuStream final : public Stream {
  public:
    CpuStream(Device& device, int threads) : Stream(device), pool_(threads) {}
    ThreadPool& pool() { return pool_; }
    Status synchronize() override { return {}; }

    // Steps of our own paths, which may take long on many rows, end within some milliseconds once
    // *stop is true; what they put out is then not to be used. Null: they never do.
    void stop_when(const std::atomic<bool>* stop) { stop_ = stop; }
    const std::atomic<bool>* stop() const { return stop_; }
    bool stopped() const { return stop_ && stop_->load(std::memory_order_relaxed); }

  private:
    ThreadPool pool_;
    const std::atomic<bool>* stop_ = nullptr;
};

// The stream a CPU step was given. Paths for a device only ever see streams of that device.
inline CpuStream& cpu_stream(Stream& stream) {
    return static_cast<CpuStream&>(stream);
}

}  // namespace lockstep
