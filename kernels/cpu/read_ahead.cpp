// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/read_ahead.h"

#include <algorithm>

#include "kernels/cpu/cpu_stream.h"

namespace lockstep {

bool FirstReads::add(int thread, const void* first, int64_t bytes) {
    Own& own = threads_[static_cast<size_t>(thread)];
    const auto* from = static_cast<const char*>(first);
    bytes = std::min(bytes, most_bytes - own.bytes);
    if (bytes <= 0) return false;
    if (!own.extents.empty() && own.extents.back().first + own.extents.back().bytes == from) {
        own.extents.back().bytes += bytes;
    } else if (own.extents.size() < most_extents) {
        own.extents.push_back({from, bytes});
    } else {
        return false;
    }
    own.bytes += bytes;
    return own.bytes < most_bytes;
}

ReadOrder::ReadOrder(Stream& stream) : threads_(cpu_stream(stream).pool().threads()) {}

const FirstReads* ReadOrder::begin(const void* step) const {
    const auto found = steps_.find(step);
    const Step* next = found == steps_.end() ? nullptr : found->second.next;
    return next && next->known ? &next->reads : nullptr;
}

}  // namespace lockstep
