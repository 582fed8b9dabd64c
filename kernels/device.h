// SPDX-License-Identifier: GPL-3.0-or-later
// Where memory lies and where kernels run. The CPU is a device like any other; a CUDA device is
// another value of this interface, so nothing above kernels/ knows which one it talks to.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <typeindex>
#include <unordered_map>

#include "kernels/status.h"
#include "kernels/tensor.h"

namespace lockstep {

class Device;

// Owned memory on a device, 64-byte aligned at least, zeroed. Move-only.
class Buffer {
  public:
    Buffer() = default;
    Buffer(Device* device, void* data, size_t bytes)
        : device_(device), data_(data), bytes_(bytes) {}
    Buffer(Buffer&& other) noexcept { swap(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        Buffer(std::move(other)).swap(*this);
        return *this;
    }
    ~Buffer();

    void* data() const { return data_; }
    size_t bytes() const { return bytes_; }
    Device* device() const { return device_; }

  private:
    void swap(Buffer& other) noexcept {
        std::swap(device_, other.device_);
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
    }
    Device* device_ = nullptr;
    void* data_ = nullptr;
    size_t bytes_ = 0;
};

// The order in which steps run, and what a path keeps between calls. One session uses one stream
// from one thread; steps may return before their work is done, synchronize() waits for it.
class Stream {
  public:
    explicit Stream(Device& device) : device_(device) {}
    virtual ~Stream() = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    Device& device() const { return device_; }
    virtual Status synchronize() = 0;
    // Called between the layers of a long piece of work: waits where the host is far ahead of the
    // device, so that a stop finds little that is still queued.
    virtual Status keep_pace() { return {}; }

    // Who works on this stream is asked to stop once *stop is true: on a CPU, steps of our own
    // paths end within some milliseconds (what they put out is then not to be used); a GPU that
    // still does not answer a while after that is given up (device_hang). Null: never.
    void stop_when(const std::atomic<bool>* stop) { stop_ = stop; }
    const std::atomic<bool>* stop_flag() const { return stop_; }
    bool stopped() const { return stop_ && stop_->load(std::memory_order_relaxed); }

    // Queues what `work` queues. A device that can records it and replays the record whenever the
    // same `key` comes again, without calling `work`: then everything that differs between the
    // calls must lie in device memory. A failure of `work` is passed on.
    virtual Status replay(uint64_t key, const std::function<Status()>& work) {
        (void)key;
        return work();
    }
    // Memory that recorded work uses has moved: records from here on afresh.
    virtual void forget_replays() {}

    // State of type T that a path keeps on this stream (workspace, cached primitives): made on
    // first use, destroyed with the stream. T(Stream&) must be a constructor.
    template <class T>
    T& state() {
        std::shared_ptr<void>& slot = states_[std::type_index(typeid(T))];
        if (!slot) slot = std::make_shared<T>(*this);
        return *static_cast<T*>(slot.get());
    }

  protected:
    // For destructors of streams whose states need them still.
    void drop_states() { states_.clear(); }

  private:
    Device& device_;
    const std::atomic<bool>* stop_ = nullptr;
    std::unordered_map<std::type_index, std::shared_ptr<void>> states_;
};

enum class DeviceKind { cpu, cuda };

class Device {
  public:
    virtual ~Device() = default;
    virtual DeviceKind kind() const = 0;
    virtual std::string name() const = 0;    // "AMD EPYC ...", "NVIDIA H200"
    virtual size_t free_memory() const = 0;  // bytes that an allocation could get now

    // Why this process cannot use the device any more, if so: a fault ended it, or it was given
    // up. Then every call fails at once, nothing waits, and what is released is left behind. Any
    // thread may call these two.
    virtual Status usable() const { return {}; }
    // why: of kind device_lost or device_hang. The first one stays.
    virtual void give_up(const Error& why) { (void)why; }

    virtual Result<Buffer> allocate(size_t bytes) = 0;
    // Memory of the host that copies to and from this device go fastest with, and that its kernels
    // can read and write at the same address.
    virtual Result<Buffer> allocate_host(size_t bytes);
    virtual void release(void* data, size_t bytes) noexcept = 0;
    // threads: of the host, for a CPU stream; 0 takes every core this process may use.
    virtual Result<std::unique_ptr<Stream>> make_stream(int threads) = 0;
    // `host` is filled once the stream is synchronized.
    virtual Status copy_to_host(void* host, const void* device, size_t bytes, Stream& stream) = 0;
    // `host` may be changed as soon as this returns, unless it is of allocate_host: then once the
    // stream is synchronized.
    virtual Status copy_from_host(void* device, const void* host, size_t bytes, Stream& stream) = 0;
    // Within the device, in the stream's order.
    virtual Status copy(void* to, const void* from, size_t bytes, Stream& stream) = 0;
};

Device& cpu_device();

}  // namespace lockstep
