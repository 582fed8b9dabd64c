// SPDX-License-Identifier: GPL-3.0-or-later
// What the fused path keeps on a stream, and how its work is shared out.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>
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

// [0, count) in pieces. Each thread's first is half of its fair share, so that it reads one long
// stretch of weights; the rest is claimed by whoever is free, in ever smaller pieces, so
// that a thread that the system holds up does not hold up the others.
class Claims {
  public:
    Claims(int64_t count, int64_t smallest, int threads)
        : count_(count),
          smallest_(smallest),
          divisor_(2 * threads),
          own_(count / (2 * threads)),
          next_(own_ * threads) {}
    // Units of uneven size: each claimed alone, in order.
    static Claims one_by_one(int64_t count) { return {count, 0, 0, nullptr}; }
    // Each thread begins with `own`; the rest are claimed one by one.
    static Claims in_shares(int64_t count, int64_t own, int threads) {
        return {count, own, threads, nullptr};
    }

    // The piece that a thread begins with; may be empty.
    int64_t first_of(int thread) const { return thread * own_; }
    int64_t last_of(int thread) const { return (thread + 1) * own_; }

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
    Claims(int64_t count, int64_t own, int threads, std::nullptr_t)
        : count_(count), smallest_(1), divisor_(count + 1), own_(own), next_(own * threads) {}

    const int64_t count_, smallest_, divisor_, own_;
    std::atomic<int64_t> next_;
};

// One thread's view of them.
class Pieces {
  public:
    Pieces(Claims& claims, int thread)
        : claims_(claims), first_(claims.first_of(thread)), last_(claims.last_of(thread)) {}

    // Where this thread begins, if its first piece is not empty.
    int64_t begin() const { return first_; }
    bool next(int64_t& first, int64_t& last) {
        if (first_ == last_) return claims_.claim(first, last);
        first = std::exchange(first_, last_);
        last = last_;
        return true;
    }

  private:
    Claims& claims_;
    int64_t first_;
    const int64_t last_;
};

// Calls body(thread, pieces) on every thread; together their pieces are all of the claims. next: as
// parallel_for's.
template <class Body>
void share_out(ThreadPool& pool, Claims& claims, const Body& body,
               const FirstReads* next = nullptr) {
    pool.parallel_for(
        pool.threads(), 1,
        [&](int64_t begin, int64_t end, int) {
            for (int64_t thread = begin; thread < end; ++thread) {
                Pieces pieces(claims, static_cast<int>(thread));
                body(static_cast<int>(thread), pieces);
            }
        },
        next);
}

}  // namespace lockstep
