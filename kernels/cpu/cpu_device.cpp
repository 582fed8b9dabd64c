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

constexpr size_t huge_page = size_t{2} << 20;

// Fresh pages are zero already, and are only backed once they are touched. Large buffers are whole
// huge pages on their borders: the kernel backs nothing less with them, and without them a decode
// spends a good part of its time on TLB misses.
size_t mapped_length(size_t bytes) {
    return bytes < huge_page ? bytes : (bytes + huge_page - 1) / huge_page * huge_page;
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
        const size_t length = mapped_length(bytes);
        const size_t alignment = bytes >= huge_page ? huge_page : 0;
        void* mapping = mmap(nullptr, length + alignment, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapping == MAP_FAILED) {
            return fail(ErrorKind::out_of_memory,
                        "could not allocate " + std::to_string(bytes) + " bytes of memory");
        }
        char* data = static_cast<char*>(mapping);
        if (alignment) {
            const size_t before = -reinterpret_cast<uintptr_t>(mapping) % alignment;
            data += before;
            if (before) munmap(mapping, before);
            if (before < alignment) munmap(data + length, alignment - before);
            madvise(data, length, MADV_HUGEPAGE);
        }
        return Buffer(this, data, bytes);
    }

    void release(void* data, size_t bytes) noexcept override { munmap(data, mapped_length(bytes)); }

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
