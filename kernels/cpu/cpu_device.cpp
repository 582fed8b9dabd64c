// SPDX-License-Identifier: GPL-3.0-or-later
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>

#include "kernels/cpu/cpu_stream.h"
#include "kernels/device.h"

namespace lockstep {
namespace {

// "MemAvailable:   123 kB" of /proc/meminfo, in bytes; 0 where it cannot be read.
size_t meminfo(const std::string& field) {
    std::ifstream file("/proc/meminfo");
    std::string name;
    size_t kib = 0;
    std::string rest;
    while (file >> name >> kib && std::getline(file, rest)) {
        if (name == field) return kib * 1024;
    }
    return 0;
}

class CpuDevice final : public Device {
  public:
    DeviceKind kind() const override { return DeviceKind::cpu; }

    std::string name() const override {
        std::ifstream file("/proc/cpuinfo");
        for (std::string line; std::getline(file, line);) {
            if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
        }
        return "CPU";
    }

    size_t free_memory() const override { return meminfo("MemAvailable:"); }

    Result<Buffer> allocate(size_t bytes) override {
        if (bytes == 0) return Buffer();
        // Fresh pages are zero already, and are only backed once they are touched; huge pages spare
        // the decode's weight stream most of its TLB misses.
        void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (data == MAP_FAILED) {
            return fail(ErrorKind::out_of_memory,
                        "could not allocate " + std::to_string(bytes) + " bytes of memory");
        }
        madvise(data, bytes, MADV_HUGEPAGE);
        return Buffer(this, data, bytes);
    }

    void release(void* data, size_t bytes) noexcept override { munmap(data, bytes); }

    Result<std::unique_ptr<Stream>> make_stream(int threads) override {
        return std::make_unique<CpuStream>(*this, threads);
    }

    Status copy_to_host(void* host, const void* device, size_t bytes, Stream&) override {
        std::memcpy(host, device, bytes);
        return {};
    }
    Status copy_from_host(void* device, const void* host, size_t bytes, Stream&) override {
        std::memcpy(device, host, bytes);
        return {};
    }
    Status copy(void* to, const void* from, size_t bytes, Stream&) override {
        std::memmove(to, from, bytes);
        return {};
    }
};

}  // namespace

Device& cpu_device() {
    static CpuDevice device;
    return device;
}

}  // namespace lockstep
