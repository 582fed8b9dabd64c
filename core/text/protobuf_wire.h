// SPDX-License-Identifier: GPL-3.0-or-later
// Protocol Buffers' wire format: just enough to read and write one small message type.
// https://protobuf.dev/programming-guides/encoding
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "kernels/status.h"

namespace lockstep {

enum class WireType : uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct WireField {
    uint32_t number = 0;
    WireType type = WireType::varint;
    uint64_t value = 0;      // of a varint or fixed one
    std::string_view bytes;  // of bytes: inside the message that was read

    float as_float() const { return std::bit_cast<float>(static_cast<uint32_t>(value)); }
};

class WireReader {
  public:
    explicit WireReader(std::string_view message) : rest_(message) {}

    bool done() const { return rest_.empty(); }
    Result<WireField> next();

  private:
    Result<uint64_t> varint();
    Result<std::string_view> take(uint64_t count);

    std::string_view rest_;
};

class WireWriter {
  public:
    void varint(uint32_t number, uint64_t value);
    void float32(uint32_t number, float value);
    void bytes(uint32_t number, std::string_view value);
    std::string take() { return std::move(message_); }

  private:
    void tag(uint32_t number, WireType type);
    void raw_varint(uint64_t value);

    std::string message_;
};

}  // namespace lockstep
