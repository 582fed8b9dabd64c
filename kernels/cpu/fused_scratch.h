// SPDX-License-Identifier: GPL-3.0-or-later
// What the fused path keeps on a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/cpu/claims.h"
#include "kernels/cpu/cpu_stream.h"

namespace lockstep {

// Memory that grows to the largest call and is then reused: nothing is allocated per token.
class FusedScratch {
  public:
    explicit FusedScratch(Stream& stream)
        : device_(stream.device()),
          own_(static_cast<size_t>(cpu_stream(stream).pool().threads())),
          shares_(own_.size()) {}

    Status reserve(int64_t shared_bytes, int64_t bytes_per_thread) {
        LOCKSTEP_TRY(grow(shared_, shared_bytes));
        for (Buffer& buffer : own_) LOCKSTEP_TRY(grow(buffer, bytes_per_thread));
        return {};
    }
    char* shared() const { return static_cast<char*>(shared_.data()); }
    char* own(int thread) const {
        return static_cast<char*>(own_[static_cast<size_t>(thread)].data());
    }
    // One a thread, for the step that runs.
    std::span<Share> shares() { return shares_; }

  private:
    Status grow(Buffer& buffer, int64_t bytes) {
        if (buffer.bytes() >= static_cast<size_t>(bytes)) return {};
        buffer = Buffer();  // before the larger one is asked for
        LOCKSTEP_ASSIGN(buffer, device_.allocate(static_cast<size_t>(bytes)));
        return {};
    }

    Device& device_;
    Buffer shared_;
    std::vector<Buffer> own_;
    std::vector<Share> shares_;
};

// Parts of one buffer, each on cache lines of its own.
class Carver {
  public:
    explicit Carver(char* memory) : memory_(memory) {}
    template <class T>
    T* take(int64_t count) {
        T* part = reinterpret_cast<T*>(memory_ + bytes_);
        bytes_ += (count * int64_t{sizeof(T)} + 127) / 128 * 128;
        return part;
    }
    int64_t bytes() const { return bytes_; }

  private:
    char* memory_;
    int64_t bytes_ = 0;
};

}  // namespace lockstep
