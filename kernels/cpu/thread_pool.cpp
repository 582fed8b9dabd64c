// SPDX-License-Identifier: GPL-3.0-or-later
// One job at a time. The caller writes the job, then raises `epoch`; a worker that sees it rise
// claims its part, runs it and lowers `running`; the caller claims what is left when it has done
// its own, and returns when `running` is zero. Those two atomics order everything else: only who
// has claimed a part reads the job. Whoever waits spins for some tens of microseconds, the time
// between two steps of a decode, then sleeps in std::atomic::wait (a futex), so that an idle
// program burns no core. While it spins it asks for memory that it will read next, if that is
// known.
#include "kernels/cpu/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

constexpr std::chrono::microseconds spin_time{50};
constexpr int pauses_between_clock_reads = 32;
constexpr int lines_between_looks = 2;  // longer, and an end of the waiting would be seen late

inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Waits until the value differs from `old`; returns what it became.
template <class T>
T wait_for_change(const std::atomic<T>& value, T old, bool spin, ReadAhead& ahead) {
    if (spin) {
        const auto deadline = std::chrono::steady_clock::now() + spin_time;
        do {
            for (int i = 0; i < pauses_between_clock_reads; ++i) {
                const T now = value.load(std::memory_order_acquire);
                if (now != old) return now;
                if (ahead.done()) {
                    pause();
                } else {
                    ahead.lines(lines_between_looks);
                }
            }
        } while (std::chrono::steady_clock::now() < deadline);
    }
    value.wait(old, std::memory_order_acquire);
    return value.load(std::memory_order_acquire);
}

// The lowest-numbered hardware thread of the core that `cpu` is one of; -1 where sysfs does not
// say.
int core_of(int cpu) {
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings_list");
    int first = -1;
    file >> first;
    return file ? first : -1;
}

// One logical CPU of each core that this process may use, in ascending order.
std::vector<int> allowed_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> cpus;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
    std::vector<int> cores;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(cpu, &set)) continue;
        const int core = core_of(cpu);
        if (core >= 0 && std::find(cores.begin(), cores.end(), core) != cores.end()) continue;
        cores.push_back(core);
        cpus.push_back(cpu);
    }
    return cpus;
}

void pin(std::thread& thread, int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    // A container may forbid it; the thread then runs wherever the scheduler likes.
    pthread_setaffinity_np(thread.native_handle(), sizeof(set), &set);
}

// The pool whose body this thread is running, which worker's part it is, and which worker runs it.
struct Busy {
    const void* pool = nullptr;
    int part = 0;
    int worker = 0;
};
thread_local Busy busy;

}  // namespace

// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): lines of their own, see below
struct ThreadPool::Impl {
    struct Job {
        int64_t count = 0;
        int64_t grain = 1;
        Call call = nullptr;  // null asks the workers to end
        const void* context = nullptr;
        const FirstReads* next = nullptr;
    };
    struct alignas(64) Own {
        std::atomic<uint32_t> claimed{0};  // the last epoch whose part somebody has begun
        // Only this worker's. It may be at them long after those who named them are gone.
        std::vector<Extent> next;
        ReadAhead ahead;
    };

    // Each on a line of its own: workers poll `epoch` while others lower `running`.
    alignas(64) std::atomic<uint32_t> epoch{0};
    alignas(64) std::atomic<int> running{0};
    alignas(64) Job job;
    int threads = 1;
    bool spin = true;
    std::vector<std::thread> workers;
    std::vector<Own> own;  // one a thread

    // Whether the caller of this is the one to run that part of the job of that epoch. All parts of
    // the jobs before were claimed.
    bool claim(int part, uint32_t of_epoch) {
        uint32_t before = of_epoch - 1;
        auto& claimed = own[static_cast<size_t>(part)].claimed;
        return claimed.load(std::memory_order_relaxed) == before &&
               claimed.compare_exchange_strong(before, of_epoch, std::memory_order_acq_rel);
    }
    void look_ahead(const Job& j, int worker) {
        Own& o = own[static_cast<size_t>(worker)];
        const auto next = j.next ? j.next->of(worker) : std::span<const Extent>();
        o.next.assign(next.begin(), next.end());
        o.ahead = ReadAhead(o.next);
    }
    void call(const Job& j, int64_t first, int64_t last, int part, int worker) const {
        const Busy outer = std::exchange(busy, Busy{this, part, worker});
        j.call(j.context, first, last, part);
        busy = outer;
    }

    void run_part(int part, int worker) {
        if (part == worker) look_ahead(job, worker);
        const int64_t units = (job.count + job.grain - 1) / job.grain;
        const int64_t first = units * part / threads * job.grain;
        const int64_t last = std::min(job.count, units * (part + 1) / threads * job.grain);
        if (first < last) call(job, first, last, part, worker);
    }

    void work(int worker) {
        uint32_t seen = 0;
        while (true) {
            seen = wait_for_change(epoch, seen, spin, own[static_cast<size_t>(worker)].ahead);
            if (!claim(worker, seen)) continue;
            if (!job.call) return;
            run_part(worker, worker);
            if (running.fetch_sub(1, std::memory_order_seq_cst) == 1) running.notify_one();
        }
    }
    // By the caller, which has done its own.
    void run_what_nobody_began() {
        const uint32_t current = epoch.load(std::memory_order_relaxed);
        for (int part = 1; part < threads; ++part) {
            if (!claim(part, current)) continue;
            run_part(part, 0);
            running.fetch_sub(1, std::memory_order_seq_cst);
        }
    }

    void publish(const Job& next) {
        job = next;
        running.store(threads - 1, std::memory_order_relaxed);
        epoch.fetch_add(1, std::memory_order_seq_cst);
        epoch.notify_all();
    }
};

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>()) {
    const std::vector<int> cores = allowed_cores();
    const int available = std::max<int>(1, static_cast<int>(cores.size()));
    const int wanted = threads > 0 ? threads : available;
    impl_->threads = wanted;
    impl_->spin = wanted <= available;  // with more threads than cores, spinning starves the others
    impl_->workers.reserve(wanted - 1);
    impl_->own = std::vector<Impl::Own>(static_cast<size_t>(wanted));
    // Here, as a worker that the system holds up may meet its first job late.
    for (Impl::Own& own : impl_->own) own.next.reserve(FirstReads::most_extents);
    for (int worker = 1; worker < wanted; ++worker) {
        try {
            impl_->workers.emplace_back([impl = impl_.get(), worker] { impl->work(worker); });
        } catch (const std::system_error&) {  // the system has no more threads: use those we got
            break;
        }
        // The caller is not pinned: threads that it makes would inherit the mask (OpenMP's do).
        if (impl_->spin) pin(impl_->workers.back(), cores[worker]);
    }
    // Workers read this only after the first publish().
    impl_->threads = static_cast<int>(impl_->workers.size()) + 1;
}

ThreadPool::~ThreadPool() {
    impl_->publish({});
    for (std::thread& worker : impl_->workers) worker.join();
}

int ThreadPool::threads() const {
    return impl_->threads;
}

ReadAhead& ThreadPool::read_ahead() {
    const int worker = busy.pool == impl_.get() ? busy.worker : 0;
    return impl_->own[static_cast<size_t>(worker)].ahead;
}

void ThreadPool::run(int64_t count, int64_t grain, Call call, const void* context,
                     const FirstReads* next) {
    if (count <= 0) return;
    const Impl::Job job{count, std::max<int64_t>(grain, 1), call, context, next};
    const bool nested = busy.pool == impl_.get();  // the other workers are busy with the outer body
    if (nested || impl_->threads == 1 || count <= job.grain) {
        if (!nested) impl_->look_ahead(job, 0);
        impl_->call(job, 0, count, nested ? busy.part : 0, nested ? busy.worker : 0);
        return;
    }
    impl_->publish(job);
    impl_->run_part(0, 0);
    impl_->run_what_nobody_began();
    for (int left = impl_->running.load(std::memory_order_acquire); left != 0;) {
        left = wait_for_change(impl_->running, left, impl_->spin, impl_->own[0].ahead);
    }
}

}  // namespace lockstep
