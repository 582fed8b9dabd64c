// SPDX-License-Identifier: GPL-3.0-or-later
// Memory asked for before it is read. Decode is bound by reading weights, and between two steps
// nothing reads: threads wait for one another, attention computes. So a stream learns which reads
// follow which, and a thread that waits asks for the lines that it will read next.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "kernels/device.h"

namespace lockstep {

// Asks for the second-level cache: a request for the first holds one of the few buffers of its
// misses until memory answers. Two busy Zen 5 cores attended to 512 keys of 30 layers in 1.7 ms
// with the one and in 1.2 ms with the other. Any address will do: nothing is read. Always inline,
// as GCC 12 drops calls of a function that does nothing but this.
[[gnu::always_inline]] inline void fetch_line(const char* address) {
    __builtin_prefetch(address, 0, 2);
}

// How decode asks for a step's weights ahead of itself, at each line of their stream. Two Sapphire
// Rapids cores that read 28 GB/s got SmolLM2's weights at 19 without it and at 25 with it; 3 to 8
// kB did nearly the same, and so they did on two Zen 5 cores.
[[gnu::always_inline]] inline void fetch_stream(const char* line) {
    fetch_line(line + 4096);
}

// The same in two stages, into the second-level cache and from there into the first. Two Emerald
// Rapids cores that read 33 GB/s got weights at 31 with the one stage of 4, 6 or 8 kB, at 32 with a
// second one of 1 kB and at 33 with one of 2 to 3 kB. Not measured on AMD's cores.
[[gnu::always_inline]] inline void fetch_stream_in_stages(const char* line) {
    fetch_line(line + 6144);
    __builtin_prefetch(line + 2048);
}
inline bool fetches_in_stages() {
#if defined(__x86_64__)
    return __builtin_cpu_is("intel");
#else
    return false;
#endif
}

struct Extent {
    const char* first = nullptr;
    int64_t bytes = 0;
};

// A place in some extents, whose lines are asked for a few at a time.
class ReadAhead {
  public:
    ReadAhead() = default;
    explicit ReadAhead(std::span<const Extent> extents)
        : next_(extents.data()), end_(extents.data() + extents.size()) {
        open();
    }
    bool done() const { return line_ == line_end_; }
    void all() {
        while (!done()) lines(64);
    }
    void lines(int count) {
        for (; count > 0 && line_ != line_end_; --count) {
            fetch_line(line_);
            line_ += 64;
            if (line_ >= line_end_) open();
        }
    }

  private:
    void open() {
        line_ = line_end_ = nullptr;
        if (next_ == end_) return;
        line_ = next_->first;
        line_end_ = line_ + next_->bytes;
        ++next_;
    }
    const char *line_ = nullptr, *line_end_ = nullptr;
    const Extent *next_ = nullptr, *end_ = nullptr;
};

// What each thread reads first in one step, in its order.
class FirstReads {
  public:
    // Beyond so much a thread's second-level cache would not keep it.
    static constexpr int64_t most_bytes = 256 << 10;
    static constexpr size_t most_extents = 256;

    explicit FirstReads(int threads) : threads_(static_cast<size_t>(threads)) {}
    std::span<const Extent> of(int thread) const {
        return threads_[static_cast<size_t>(thread)].extents;
    }
    void clear() {
        for (Own& own : threads_) {
            own.extents.clear();
            own.bytes = 0;
        }
    }
    // False once that thread has enough.
    bool add(int thread, const void* first, int64_t bytes);

  private:
    struct Own {
        std::vector<Extent> extents;
        int64_t bytes = 0;
    };
    std::vector<Own> threads_;
};

// Which step's reads follow which, on one stream: every token's steps read in the same order. Steps
// are told apart by where what they read begins.
class ReadOrder {
  public:
    explicit ReadOrder(Stream& stream);

    // A step begins: what was read next when it last ran; null where that is not known.
    const FirstReads* begin(const void* step) const;
    // It has ended; fill(FirstReads&) says what it read first: once, or each time where that
    // `changes`.
    template <class Fill>
    void end(const void* step, bool changes, const Fill& fill) {
        Step& s = steps_.try_emplace(step, threads_).first->second;
        if (last_) last_->next = &s;
        last_ = &s;
        if (s.known && !changes) return;
        s.known = true;
        s.reads.clear();
        fill(s.reads);
    }

  private:
    struct Step {
        explicit Step(int threads) : reads(threads) {}
        FirstReads reads;
        bool known = false;
        Step* next = nullptr;
    };
    const int threads_;
    std::unordered_map<const void*, Step> steps_;
    Step* last_ = nullptr;
};

}  // namespace lockstep
