// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/gguf_reader.h"

#include "core/model/stored_tensor.h"

namespace lockstep {

Result<std::span<const std::byte>> GgufReader::take(uint64_t count, const char* what) {
    if (count > remaining()) {
        return fail("the file ends inside " + std::string(what) + ": " + std::to_string(count) +
                    " bytes wanted, " + std::to_string(remaining()) + " left");
    }
    const auto taken = bytes_.subspan(at_, count);
    at_ += count;
    return taken;
}

Result<std::string_view> GgufReader::string(const char* what) {
    LOCKSTEP_ASSIGN(const auto length, read<uint64_t>(what));
    LOCKSTEP_ASSIGN(const auto bytes, take(length, what));
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

tl::unexpected<Error> GgufReader::fail(const std::string& what, ErrorKind kind) const {
    return lockstep::fail(kind, file_ + place_ + ": at byte " + std::to_string(at_) + ": " + what);
}

void GgufReader::set_place(std::string_view key) {
    place_ = key.empty() ? "" : ": " + printable(key);
}

}  // namespace lockstep
