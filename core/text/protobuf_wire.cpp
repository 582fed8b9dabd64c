// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/protobuf_wire.h"

namespace lockstep {
namespace {

tl::unexpected<Error> truncated() {
    return fail(ErrorKind::invalid_file, "the protocol buffer is cut off inside a field");
}

uint64_t little_endian(std::string_view bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size(); ++i)
        value |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
    return value;
}

}  // namespace

Result<uint64_t> WireReader::varint() {
    constexpr size_t longest = 10;
    uint64_t value = 0;
    for (size_t i = 0; i < longest; ++i) {
        if (i == rest_.size()) return truncated();
        const auto byte = static_cast<uint8_t>(rest_[i]);
        value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            rest_.remove_prefix(i + 1);
            return value;
        }
    }
    return fail(ErrorKind::invalid_file, "the protocol buffer holds a number of more than 64 bits");
}

Result<std::string_view> WireReader::take(uint64_t count) {
    if (count > rest_.size()) return truncated();
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
}

Result<WireField> WireReader::next() {
    LOCKSTEP_ASSIGN(const uint64_t tag, varint());
    WireField field;
    field.type = static_cast<WireType>(tag & 7);
    field.number = static_cast<uint32_t>(tag >> 3);
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return fail(ErrorKind::invalid_file,
                    "the protocol buffer holds a field number out of range");
    switch (field.type) {
        case WireType::varint: {
            LOCKSTEP_ASSIGN(field.value, varint());
            return field;
        }
        case WireType::bytes: {
            LOCKSTEP_ASSIGN(const uint64_t length, varint());
            LOCKSTEP_ASSIGN(field.bytes, take(length));
            return field;
        }
        case WireType::fixed64:
        case WireType::fixed32: {
            LOCKSTEP_ASSIGN(const std::string_view bytes,
                            take(field.type == WireType::fixed64 ? 8 : 4));
            field.value = little_endian(bytes);
            return field;
        }
    }
    return fail(ErrorKind::invalid_file,
                "the protocol buffer holds a field of unknown type " + std::to_string(tag & 7));
}

void WireWriter::raw_varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) message_ += static_cast<char>(0x80 | (value & 0x7f));
    message_ += static_cast<char>(value);
}

void WireWriter::tag(uint32_t number, WireType type) {
    raw_varint(static_cast<uint64_t>(number) << 3 | static_cast<uint8_t>(type));
}

void WireWriter::varint(uint32_t number, uint64_t value) {
    tag(number, WireType::varint);
    raw_varint(value);
}

void WireWriter::float32(uint32_t number, float value) {
    tag(number, WireType::fixed32);
    const auto bits = std::bit_cast<uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) message_ += static_cast<char>(bits >> shift);
}

void WireWriter::bytes(uint32_t number, std::string_view value) {
    tag(number, WireType::bytes);
    raw_varint(value.size());
    message_ += value;
}

}  // namespace lockstep
