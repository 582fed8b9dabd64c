// SPDX-License-Identifier: GPL-3.0-or-later
// Threads made once and pinned to the cores this process may use; a decode step is some tens of
// microseconds, so workers spin for a moment before they sleep. The calling thread is worker 0.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/cpu/read_ahead.h"

namespace lockstep {

class ThreadPool {
  public:
    // threads <= 0: one per core in this process's affinity mask.
    explicit ThreadPool(int threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int threads() const;

    // Calls body(first, last, thread) for one contiguous part of [0, count) per thread, each part's
    // borders a multiple of `grain`, and returns when all are done. Allocates nothing. Parts depend
    // on count, grain and threads only; a kernel's result must not depend on them. A part whose
    // worker has not begun when the caller has done its own is run by the caller, as `thread`: a
    // worker that the system holds up holds nobody up. One caller at a time; called from inside a
    // body, it runs the whole of [0, count) on the worker it is called from. A body must not throw.
    // `next`, where given, is what the threads will read after this: they ask for it while they
    // wait.
    template <class Body>
    void parallel_for(int64_t count, int64_t grain, const Body& body,
                      const FirstReads* next = nullptr) {
        run(
            count, grain,
            [](const void* context, int64_t first, int64_t last, int thread) {
                (*static_cast<const Body*>(context))(first, last, thread);
            },
            &body, next);
    }
    // Where the thread that runs this body is in `next`: it may ask for some of it while it
    // computes.
    ReadAhead& read_ahead();

  private:
    using Call = void (*)(const void* context, int64_t first, int64_t last, int thread);
    void run(int64_t count, int64_t grain, Call call, const void* context, const FirstReads* next);

    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep
