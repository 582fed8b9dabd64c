// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/gguf_value.h"

#include <bit>
#include <string>

namespace lockstep {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read as it lies in memory");

template <class T>
T load(const std::byte* data) {
    T value;
    std::memcpy(&value, data, sizeof(T));
    return value;
}

Result<GgufValue> read_array(GgufReader& reader) {
    LOCKSTEP_ASSIGN(const auto type, reader.read<uint32_t>("an array's type"));
    LOCKSTEP_ASSIGN(const auto count, reader.read<uint64_t>("an array's length"));
    GgufArray array{static_cast<GgufType>(type), count, {}};
    if (array.type == GgufType::array) return reader.fail("arrays of arrays are not supported");
    if (array.type == GgufType::string) {
        if (count > reader.remaining() / sizeof(uint64_t)) {
            return reader.fail("an array of " + std::to_string(count) +
                               " strings does not fit into the rest of the file");
        }
        GgufReader walk = reader;
        for (uint64_t i = 0; i < count; ++i) LOCKSTEP_TRY(walk.string("an array's string"));
        LOCKSTEP_ASSIGN(array.data, reader.take(walk.at() - reader.at(), "an array"));
        return array;
    }
    const size_t size = gguf_element_size(array.type);
    if (size == 0) return reader.fail("unknown array type " + std::to_string(type));
    if (count > reader.remaining() / size) {
        return reader.fail("an array of " + std::to_string(count) +
                           " elements does not fit into the rest of the file");
    }
    LOCKSTEP_ASSIGN(array.data, reader.take(count * size, "an array"));
    return array;
}

}  // namespace

size_t gguf_element_size(GgufType type) {
    switch (type) {
        case GgufType::u8:
        case GgufType::i8:
        case GgufType::boolean:
            return 1;
        case GgufType::u16:
        case GgufType::i16:
            return 2;
        case GgufType::u32:
        case GgufType::i32:
        case GgufType::f32:
            return 4;
        case GgufType::u64:
        case GgufType::i64:
        case GgufType::f64:
            return 8;
        default:
            return 0;
    }
}

GgufValue gguf_scalar(GgufType type, const std::byte* data) {
    switch (type) {
        case GgufType::u8:
            return uint64_t{load<uint8_t>(data)};
        case GgufType::i8:
            return int64_t{load<int8_t>(data)};
        case GgufType::u16:
            return uint64_t{load<uint16_t>(data)};
        case GgufType::i16:
            return int64_t{load<int16_t>(data)};
        case GgufType::u32:
            return uint64_t{load<uint32_t>(data)};
        case GgufType::i32:
            return int64_t{load<int32_t>(data)};
        case GgufType::u64:
            return load<uint64_t>(data);
        case GgufType::i64:
            return load<int64_t>(data);
        case GgufType::f32:
            return double{load<float>(data)};
        case GgufType::f64:
            return load<double>(data);
        default:
            return load<uint8_t>(data) != 0;
    }
}

Result<GgufValue> read_gguf_value(GgufReader& reader) {
    LOCKSTEP_ASSIGN(const auto id, reader.read<uint32_t>("a value's type"));
    const auto type = static_cast<GgufType>(id);
    if (type == GgufType::array) return read_array(reader);
    if (type == GgufType::string) {
        LOCKSTEP_ASSIGN(const auto text, reader.string("a string"));
        return text;
    }
    const size_t size = gguf_element_size(type);
    if (size == 0) return reader.fail("unknown value type " + std::to_string(id));
    LOCKSTEP_ASSIGN(const auto data, reader.take(size, "a value"));
    return gguf_scalar(type, data.data());
}

}  // namespace lockstep
