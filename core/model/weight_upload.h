// SPDX-License-Identifier: GPL-3.0-or-later
// Memory of the host through which weights go to another device: while one part is on its way, the
// next one is filled.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "kernels/device.h"

namespace lockstep {

class WeightUpload {
  public:
    static Result<std::unique_ptr<WeightUpload>> create(Device& device, size_t part_bytes);

    size_t part_bytes() const { return part_bytes_; }
    // part_bytes() to be filled, then sent. Waits until what it held before has arrived.
    Result<std::byte*> next_part();
    // The first `bytes` of that part; returns while they are on their way.
    Status send(void* to, size_t bytes);
    // Waits until everything has arrived.
    Status finish();

  private:
    struct Part {
        Buffer memory;
        std::unique_ptr<Stream> stream;  // of its own, to be waited for alone
    };
    WeightUpload(Device& device, size_t part_bytes) : device_(device), part_bytes_(part_bytes) {}

    Device& device_;
    size_t part_bytes_;
    std::array<Part, 3> parts_;
    size_t current_ = 0;
};

}  // namespace lockstep
