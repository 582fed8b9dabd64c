// SPDX-License-Identifier: GPL-3.0-or-later
// A memory file that two processes map: grows, never shrinks. Pages that nobody wrote cost nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/status.h"
#include "kernels/user/file_descriptor.h"

namespace lockstep {

inline constexpr uint64_t page_bytes = 4096;  // or a divisor of the machine's larger ones

inline uint64_t round_up(uint64_t value, uint64_t unit) {
    return (value + unit - 1) / unit * unit;
}

class SharedMemory {
  public:
    SharedMemory() = default;
    SharedMemory(SharedMemory&& other) noexcept { swap(other); }
    SharedMemory& operator=(SharedMemory&& other) noexcept {
        swap(other);
        return *this;
    }
    ~SharedMemory();

    static Result<SharedMemory> create(const char* name);
    // At least so large; what was mapped moves.
    Status grow(uint64_t bytes);
    // Gives the pages back; they read as zeros.
    void clear();

    std::byte* data() const { return data_; }
    uint64_t bytes() const { return bytes_; }
    int fd() const { return fd_.get(); }

  private:
    void swap(SharedMemory& other) noexcept;
    FileDescriptor fd_;
    std::byte* data_ = nullptr;
    uint64_t bytes_ = 0;
};

}  // namespace lockstep
