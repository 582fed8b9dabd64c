// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/task_runner.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

namespace lockstep {
namespace {

constexpr auto poll_interval = std::chrono::milliseconds(20);
constexpr int max_threads = 16;

struct Shared {
    const std::vector<std::function<void()>>& tasks;
    std::atomic<size_t> next = 0;
    std::atomic<bool> stop = false;
    std::atomic<bool> no_memory = false;
    std::mutex mutex = {};
    std::condition_variable finished = {};
    int running = 0;  // guarded by mutex

    bool run_one() {
        const size_t index = stop ? tasks.size() : next.fetch_add(1);
        if (index >= tasks.size()) return false;
        try {
            tasks[index]();
        } catch (const std::bad_alloc&) {
            no_memory = true;
            stop = true;
        }
        return true;
    }
    void work() {
        while (run_one()) {
        }
        const std::lock_guard lock(mutex);
        --running;
        finished.notify_all();
    }
};

// As many threads as the system gives; they are joined when the vector goes.
std::vector<std::jthread> start(Shared& shared, int threads) {
    std::vector<std::jthread> started;
    started.reserve(static_cast<size_t>(threads));
    try {
        for (int i = 0; i < threads; ++i) {
            {
                const std::lock_guard lock(shared.mutex);
                ++shared.running;
            }
            started.emplace_back([&shared] { shared.work(); });
        }
    } catch (const std::system_error&) {
        const std::lock_guard lock(shared.mutex);
        --shared.running;
    }
    return started;
}

}  // namespace

Status run_tasks(const std::vector<std::function<void()>>& tasks, int threads,
                 const std::function<bool()>& poll) {
    if (threads <= 0) threads = static_cast<int>(std::thread::hardware_concurrency());
    threads = std::clamp(threads, 1, max_threads);
    Shared shared{tasks};
    bool wanted = true;
    {
        const std::vector<std::jthread> workers = start(shared, threads);
        if (workers.empty()) {
            while (wanted && shared.run_one()) wanted = poll();
        }
        std::unique_lock lock(shared.mutex);
        while (shared.running > 0) {
            shared.finished.wait_for(lock, poll_interval);
            lock.unlock();
            if (wanted && !poll()) wanted = false;
            if (!wanted) shared.stop = true;
            lock.lock();
        }
    }
    if (shared.no_memory) return fail(ErrorKind::out_of_memory, "not enough memory");
    if (!wanted || !poll()) return fail(ErrorKind::cancelled, "cancelled");
    return {};
}

}  // namespace lockstep
