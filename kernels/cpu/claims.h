// SPDX-License-Identifier: GPL-3.0-or-later
// How a step's work is shared out among threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/cpu/thread_pool.h"

namespace lockstep {

// A thread's share of a step's work: the units [first, last) that nobody has claimed yet. On a line
// of its own.
class alignas(64) Share {
  public:
    struct Units {
        uint32_t first = 0, last = 0;
        int64_t count() const { return int64_t{last} - first; }
    };
    void set(int64_t first, int64_t last) {
        left_.store({static_cast<uint32_t>(first), static_cast<uint32_t>(last)},
                    std::memory_order_relaxed);
    }
    // take(Units left) says what is to stay; false where nothing was left.
    template <class Take>
    bool claim(const Take& take) {
        Units left = left_.load(std::memory_order_relaxed);
        while (left.count() > 0) {
            if (left_.compare_exchange_weak(left, take(left), std::memory_order_relaxed))
                return true;
        }
        return false;
    }

  private:
    std::atomic<Units> left_;
};

// [0, count) in pieces. Each thread goes through a share of its own from its beginning to its end,
// so that it reads one stretch of weights; who is done takes half of what another has left, so that
// a thread that the system holds up does not hold up the others.
class Claims {
  public:
    // All are shared out, and claimed in ever smaller pieces.
    Claims(std::span<Share> shares, int64_t count, int64_t smallest)
        : Claims(shares, count, count, smallest, 4) {}
    // Units of uneven size: `own` of them for each thread, at once; the rest is claimed one by one,
    // in order.
    static Claims one_by_one(std::span<Share> shares, int64_t count, int64_t own = 0) {
        return {shares, count, own * static_cast<int64_t>(shares.size()), 1, 1};
    }

    // What a thread begins with; may be empty.
    int64_t first_of(int64_t thread) const {
        return shared_out_ * thread / static_cast<int64_t>(shares_.size());
    }
    int64_t last_of(int64_t thread) const { return first_of(thread + 1); }

    bool claim(size_t thread, int64_t& first, int64_t& last) {
        do {
            if (claim_own(thread, first, last) || claim_next(first, last)) return true;
        } while (take_half(thread));
        return false;
    }

  private:
    Claims(std::span<Share> shares, int64_t count, int64_t shared_out, int64_t smallest,
           int64_t divisor)
        : shares_(shares),
          count_(count),
          shared_out_(shared_out),
          smallest_(smallest),
          divisor_(divisor),
          next_(shared_out) {
        for (size_t t = 0; t < shares.size(); ++t) {
            const auto thread = static_cast<int64_t>(t);
            shares[t].set(first_of(thread), last_of(thread));
        }
    }
    int64_t part(int64_t count, int64_t divisor) const {
        return std::min(count, std::max(smallest_, count / divisor / smallest_ * smallest_));
    }

    bool claim_own(size_t thread, int64_t& first, int64_t& last) {
        return shares_[thread].claim([&](Share::Units left) {
            first = left.first;
            last = first + part(left.count(), divisor_);
            return Share::Units{static_cast<uint32_t>(last), left.last};
        });
    }
    bool claim_next(int64_t& first, int64_t& last) {
        if (next_.load(std::memory_order_relaxed) >= count_) return false;
        first = next_.fetch_add(1, std::memory_order_relaxed);
        last = first + 1;
        return first < count_;
    }
    // Of the next thread's that has something left, its second half.
    bool take_half(size_t thread) {
        for (size_t i = 1; i < shares_.size(); ++i) {
            int64_t first = 0, last = 0;
            const bool taken = shares_[(thread + i) % shares_.size()].claim([&](Share::Units left) {
                last = left.last;
                first = last - part(left.count(), 2);
                return Share::Units{left.first, static_cast<uint32_t>(first)};
            });
            if (!taken) continue;
            shares_[thread].set(first, last);  // nobody else does while it is empty
            return true;
        }
        return false;
    }

    const std::span<Share> shares_;
    const int64_t count_, shared_out_, smallest_, divisor_;
    std::atomic<int64_t> next_;
};

// One thread's view of them.
class Pieces {
  public:
    Pieces(Claims& claims, int thread) : claims_(claims), thread_(static_cast<size_t>(thread)) {}

    bool next(int64_t& first, int64_t& last) { return claims_.claim(thread_, first, last); }

  private:
    Claims& claims_;
    const size_t thread_;
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
