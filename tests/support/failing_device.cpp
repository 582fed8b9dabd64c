// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/failing_device.h"

#include <chrono>
#include <cstring>

namespace lockstep::test {

namespace {

constexpr auto patience = std::chrono::milliseconds(300);  // after a stop

}  // namespace

class FailingStream final : public Stream {
  public:
    FailingStream(FailingDevice& device, std::unique_ptr<Stream> inner)
        : Stream(device), device_(device), inner_(std::move(inner)) {}

    Stream& inner() { return *inner_; }
    Status before_step() {
        LOCKSTEP_TRY(copy_what_waits());
        return device_.before_step();
    }
    Status synchronize() override {
        LOCKSTEP_TRY(device_.usable());
        std::optional<std::chrono::steady_clock::time_point> stopped_at;
        LOCKSTEP_TRY(device_.while_busy([&] {
            const auto now = std::chrono::steady_clock::now();
            if (!stopped_at && stopped()) stopped_at = now;
            return stopped_at && now - *stopped_at > patience;
        }));
        return copy_what_waits();
    }
    void copy_later(void* to, const void* from, size_t bytes) {
        waiting_.push_back([=] { std::memcpy(to, from, bytes); });
        const auto count = static_cast<int64_t>(waiting_.size());
        device_.most_waiting_ = std::max<int64_t>(device_.most_waiting_, count);
    }
    Status copy_what_waits() {
        LOCKSTEP_TRY(device_.usable());
        for (const auto& copy : waiting_) copy();
        waiting_.clear();
        return {};
    }

  private:
    FailingDevice& device_;
    std::unique_ptr<Stream> inner_;
    std::vector<std::function<void()>> waiting_;
};

namespace {

FailingStream& failing(Stream& stream) {
    return static_cast<FailingStream&>(stream);
}

template <class Args>
void wrap(StepFunction<Args>& step) {
    step = [inner = step](const Args& args, Stream& stream) -> Status {
        LOCKSTEP_TRY(failing(stream).before_step());
        return inner(args, failing(stream).inner());
    };
}

}  // namespace

void FailingDevice::install_paths() {
    std::vector<KernelPath> paths;
    for (KernelPath path : kernel_paths(DeviceKind::cpu)) {
        path.device = DeviceKind::cuda;
        wrap(path.embed);
        wrap(path.qkv);
        wrap(path.attention);
        wrap(path.attn_output);
        wrap(path.gate_up);
        wrap(path.down);
        wrap(path.logits);
        paths.push_back(std::move(path));
    }
    replace_cuda_paths(std::move(paths));
}

DeviceFinder FailingDevice::finder() {
    DeviceFinder finder;
    finder.gpus = [this]() -> Result<std::vector<GpuInfo>> {
        return std::vector<GpuInfo>{{name(), 90, size_t{8} << 30}};
    };
    finder.gpu = [this](int) -> Result<Device*> { return this; };
    return finder;
}

void FailingDevice::fault_at_step(int64_t n, Fault fault) {
    const std::scoped_lock lock(mutex_);
    faulty_step_ = n == 0 ? 0 : steps_ + n;
    fault_ = fault;
}

void FailingDevice::let_go() {
    const std::scoped_lock lock(mutex_);
    busy_ = false;
    changed_.notify_all();
}

Status FailingDevice::usable() const {
    const std::scoped_lock lock(mutex_);
    return gone_ ? tl::unexpected<Error>(*gone_) : Status();
}

void FailingDevice::give_up(const Error& why) {
    const std::scoped_lock lock(mutex_);
    if (!gone_) gone_ = why;
    changed_.notify_all();
}

Status FailingDevice::before_step() {
    LOCKSTEP_TRY(usable());
    std::unique_lock lock(mutex_);
    if (++steps_ != faulty_step_) return {};
    if (fault_ == Fault::lost) {
        lock.unlock();
        give_up({ErrorKind::device_lost, "an illegal memory access was encountered"});
        return usable();
    }
    busy_ = true;
    if (fault_ == Fault::busy_queue) return {};
    changed_.wait(lock, [&] { return !busy_; });
    lock.unlock();
    return usable();
}

Status FailingDevice::while_busy(const std::function<bool()>& given_up) {
    std::unique_lock lock(mutex_);
    while (busy_ && !gone_) {
        changed_.wait_for(lock, std::chrono::milliseconds(2));
        if (busy_ && given_up()) gone_ = {ErrorKind::device_hang, "the GPU does not answer"};
    }
    return gone_ ? tl::unexpected<Error>(*gone_) : Status();
}

Result<Buffer> FailingDevice::allocate(size_t bytes) {
    LOCKSTEP_TRY(usable());
    if (bytes == 0) return Buffer();
    if (++allocations_ == allocation_to_fail_) {
        return fail(ErrorKind::out_of_memory,
                    "could not allocate " + std::to_string(bytes) + " bytes on " + name());
    }
    LOCKSTEP_ASSIGN(Buffer memory, cpu_device().allocate(bytes));
    void* const data = memory.data();
    const std::scoped_lock lock(mutex_);
    in_use_ += bytes;
    memory_[data] = {std::move(memory), false};
    return Buffer(this, data, bytes);
}

Result<Buffer> FailingDevice::allocate_host(size_t bytes) {
    LOCKSTEP_ASSIGN(Buffer memory, allocate(bytes));
    const std::scoped_lock lock(mutex_);
    if (memory.data()) memory_[memory.data()].of_host = true;
    return memory;
}

void FailingDevice::release(void* data, size_t bytes) noexcept {
    const std::scoped_lock lock(mutex_);
    in_use_ -= bytes;
    memory_.erase(data);
}

bool FailingDevice::is_own_host_memory(const void* data) {
    const std::scoped_lock lock(mutex_);
    const auto after = memory_.upper_bound(const_cast<void*>(data));
    if (after == memory_.begin()) return false;
    const auto& [begin, block] = *std::prev(after);
    return block.of_host && data < static_cast<const char*>(begin) + block.buffer.bytes();
}

Result<std::unique_ptr<Stream>> FailingDevice::make_stream(int threads) {
    LOCKSTEP_TRY(usable());
    LOCKSTEP_ASSIGN(std::unique_ptr<Stream> inner, cpu_device().make_stream(threads));
    return std::make_unique<FailingStream>(*this, std::move(inner));
}

Status FailingDevice::copy_to_host(void* host, const void* device, size_t bytes, Stream& stream) {
    LOCKSTEP_TRY(failing(stream).copy_what_waits());
    std::memcpy(host, device, bytes);
    return {};
}

Status FailingDevice::copy_from_host(void* device, const void* host, size_t bytes, Stream& stream) {
    LOCKSTEP_TRY(usable());
    if (is_own_host_memory(host)) {
        failing(stream).copy_later(device, host, bytes);
        return {};
    }
    LOCKSTEP_TRY(failing(stream).copy_what_waits());
    std::memcpy(device, host, bytes);
    return {};
}

Status FailingDevice::copy(void* to, const void* from, size_t bytes, Stream& stream) {
    LOCKSTEP_TRY(failing(stream).copy_what_waits());
    std::memmove(to, from, bytes);
    return {};
}

}  // namespace lockstep::test
