// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/device.h"

namespace lockstep {

Buffer::~Buffer() {
    if (data_) device_->release(data_, bytes_);
}

Result<Buffer> Device::allocate_host(size_t bytes) {
    return cpu_device().allocate(bytes);
}

}  // namespace lockstep
