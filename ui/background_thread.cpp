// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/background_thread.h"

#include <utility>

namespace lockstep {

BackgroundThread::~BackgroundThread() {
    {
        const std::scoped_lock lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void BackgroundThread::post(Task task) {
    {
        const std::scoped_lock lock(mutex_);
        tasks_.push_back(std::move(task));
    }
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    changed_.notify_all();
}

void BackgroundThread::finish() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return tasks_.empty(); });
}

void BackgroundThread::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
        if (tasks_.empty()) return;
        Task task = std::exchange(tasks_.front(), {});
        lock.unlock();
        task();
        task = {};  // what it held goes here, not in the thread that asked
        lock.lock();
        tasks_.pop_front();
        changed_.notify_all();
    }
}

}  // namespace lockstep
