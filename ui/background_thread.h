// SPDX-License-Identifier: GPL-3.0-or-later
// What may wait for a disk is done here, one task after the other, so that the GUI thread never
// does. Not Qt's queue or pool: ThreadSanitizer sees what this one orders.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace lockstep {

class BackgroundThread {
  public:
    using Task = std::function<void()>;

    BackgroundThread() = default;  // the thread itself starts with the first task
    ~BackgroundThread();           // all tasks are done first
    BackgroundThread(const BackgroundThread&) = delete;
    BackgroundThread& operator=(const BackgroundThread&) = delete;

    void post(Task task);
    void finish();  // waits until all tasks so far are done

  private:
    void run();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Task> tasks_;  // the first is at work
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace lockstep
