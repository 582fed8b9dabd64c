// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/weight_upload.h"

namespace lockstep {

Result<std::unique_ptr<WeightUpload>> WeightUpload::create(Device& device, size_t part_bytes) {
    std::unique_ptr<WeightUpload> upload(new WeightUpload(device, part_bytes));
    for (Part& part : upload->parts_) {
        LOCKSTEP_ASSIGN(part.stream, device.make_stream(0));
        LOCKSTEP_ASSIGN(part.memory, device.allocate_host(part_bytes));
    }
    return upload;
}

Result<std::byte*> WeightUpload::next_part() {
    current_ = (current_ + 1) % parts_.size();
    LOCKSTEP_TRY(parts_[current_].stream->synchronize());
    return static_cast<std::byte*>(parts_[current_].memory.data());
}

Status WeightUpload::send(void* to, size_t bytes) {
    const Part& part = parts_[current_];
    return device_.copy_from_host(to, part.memory.data(), bytes, *part.stream);
}

Status WeightUpload::finish() {
    for (const Part& part : parts_) LOCKSTEP_TRY(part.stream->synchronize());
    return {};
}

}  // namespace lockstep
