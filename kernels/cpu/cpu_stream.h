// SPDX-License-Identifier: GPL-3.0-or-later
// The CPU's stream: a pool of threads made once. Steps run at once and in order.
#pragma once

#include "kernels/cpu/thread_pool.h"
#include "kernels/device.h"

namespace lockstep {

class CpuStream final : public Stream {
  public:
    CpuStream(Device& device, int threads) : Stream(device), pool_(threads) {}
    ThreadPool& pool() { return pool_; }
    Status synchronize() override { return {}; }

  private:
    ThreadPool pool_;
};

// The stream a CPU step was given. Paths for a device only ever see streams of that device.
inline CpuStream& cpu_stream(Stream& stream) {
    return static_cast<CpuStream&>(stream);
}

}  // namespace lockstep
