// SPDX-License-Identifier: GPL-3.0-or-later
// Walks a GGUF's bytes from front to back. Nothing is read past the end, and every error names the
// file, the byte and what was wanted there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "kernels/status.h"

namespace lockstep {

class GgufReader {
  public:
    // `file` stands in front of errors.
    GgufReader(std::span<const std::byte> bytes, size_t at, std::string file)
        : bytes_(bytes), at_(at), file_(std::move(file)) {}

    size_t at() const { return at_; }
    size_t remaining() const { return bytes_.size() - at_; }

    template <class T>
    Result<T> read(const char* what) {
        LOCKSTEP_ASSIGN(const auto bytes, take(sizeof(T), what));
        T value;
        std::memcpy(&value, bytes.data(), sizeof(T));
        return value;
    }
    Result<std::span<const std::byte>> take(uint64_t count, const char* what);
    // A 64-bit length, then so many bytes.
    Result<std::string_view> string(const char* what);

    tl::unexpected<Error> fail(const std::string& what,
                               ErrorKind kind = ErrorKind::invalid_file) const;
    // The key that errors are about from now on; empty for none.
    void set_place(std::string_view key);

  private:
    std::span<const std::byte> bytes_;
    size_t at_;
    std::string file_;
    std::string place_;
};

}  // namespace lockstep
