// SPDX-License-Identifier: GPL-3.0-or-later
// What the fused path keeps on a stream, and how its work is shared out.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <vector>

#include "kernels/cpu/cpu_stream.h"

namespace lockstep {

// Memory that grows to the largest call and is then reused: nothing is allocated per token.
class FusedScratch {
  public:
    explicit FusedScratch(Stream& stream)
        : device_(stream.device()),
          own_(static_cast<size_t>(cpu_stream(stream).pool().threads())) {}

    Status reserve(int64_t shared_bytes, int64_t bytes_per_thread) {
        LOCKSTEP_TRY(grow(shared_, shared_bytes));
        for (Buffer& buffer : own_) LOCKSTEP_TRY(grow(buffer, bytes_per_thread));
        return {};
    }
    char* shared() const { return static_cast<char*>(shared_.data()); }
    char* own(int thread) const {
        return static_cast<char*>(own_[static_cast<size_t>(thread)].data());
    }

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

// [0, count) in pieces, each claimed by the thread that is free: large ones first, then ever
// smaller ones, so that a thread that the system holds up does not hold up the others.
class Claims {
  public:
    Claims(int64_t count, int64_t smallest, int threads)
        : count_(count), smallest_(smallest), divisor_(2 * threads) {}

    bool claim(int64_t& first, int64_t& last) {
        first = next_.load(std::memory_order_relaxed);
        do {
            if (first >= count_) return false;
            const int64_t share = (count_ - first) / divisor_;
            last = std::min(count_, first + std::max(smallest_, share));
        } while (!next_.compare_exchange_weak(first, last, std::memory_order_relaxed));
        return true;
    }

  private:
    const int64_t count_, smallest_, divisor_;
    std::atomic<int64_t> next_{0};
};

// Calls body(thread, claims) on every thread; each claims pieces of [0, count) until none is left.
template <class Body>
void share_out(ThreadPool& pool, int64_t count, int64_t smallest, const Body& body) {
    Claims claims(count, smallest, pool.threads());
    pool.parallel_for(pool.threads(), 1,
                      [&](int64_t, int64_t, int thread) { body(thread, claims); });
}

}  // namespace lockstep
