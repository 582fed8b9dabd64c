// SPDX-License-Identifier: GPL-3.0-or-later
// A device in the GPU's place that is the CPU underneath and fails when it is told to: out of
// memory at any allocation, lost at any step, a step or a wait that does not end. Copies from its
// own host memory happen as late as the contract of Device allows.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "kernels/gpu_info.h"
#include "kernels/kernel_path.h"

namespace lockstep::test {

class FailingDevice final : public Device {
  public:
    enum class Fault {
        lost,        // the step fails, and the device is gone
        busy_step,   // the step does not come back (a launch into a full queue), stop or not
        busy_queue,  // the step comes back, waiting for it does not: given up after a stop
    };

    ~FailingDevice() override { let_go(); }
    // Its paths (the CPU's under other names) in place of CUDA's. Once, at a test's start.
    static void install_paths();
    // As the only GPU of the machine.
    DeviceFinder finder();

    // The n-th allocation from now on fails, once. 0: none does.
    void fail_allocation(int64_t n) { allocation_to_fail_ = n == 0 ? 0 : allocations_ + n; }
    int64_t allocations() const { return allocations_; }
    size_t bytes_in_use() const { return in_use_; }
    void set_free_memory(size_t bytes) { free_ = bytes; }
    // The n-th step from now on meets the fault.
    void fault_at_step(int64_t n, Fault fault);
    int64_t steps() const { return steps_; }
    // What is busy ends.
    void let_go();
    // Copies that were still waiting when another one was queued, at most.
    int64_t most_copies_waiting() const { return most_waiting_; }

    DeviceKind kind() const override { return DeviceKind::cuda; }
    std::string name() const override { return "Failing GPU"; }
    size_t free_memory() const override { return free_; }
    Status usable() const override;
    void give_up(const Error& why) override;
    Result<Buffer> allocate(size_t bytes) override;
    Result<Buffer> allocate_host(size_t bytes) override;
    void release(void* data, size_t bytes) noexcept override;
    Result<std::unique_ptr<Stream>> make_stream(int threads) override;
    Status copy_to_host(void* host, const void* device, size_t bytes, Stream& stream) override;
    Status copy_from_host(void* device, const void* host, size_t bytes, Stream& stream) override;
    Status copy(void* to, const void* from, size_t bytes, Stream& stream) override;

  private:
    friend class FailingStream;
    Status before_step();
    Status while_busy(const std::function<bool()>& given_up);
    bool is_own_host_memory(const void* data);

    std::atomic<int64_t> allocations_ = 0, allocation_to_fail_ = 0, steps_ = 0, most_waiting_ = 0;
    std::atomic<size_t> in_use_ = 0, free_ = size_t{8} << 30;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    int64_t faulty_step_ = 0;  // all of these: guarded by mutex_
    Fault fault_ = Fault::lost;
    bool busy_ = false;
    std::optional<Error> gone_;
    struct Block {
        Buffer buffer;  // the CPU's
        bool of_host = false;
    };
    std::map<void*, Block> memory_;
};

}  // namespace lockstep::test
