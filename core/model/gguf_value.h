// SPDX-License-Identifier: GPL-3.0-or-later
// One value of a GGUF's metadata, typed as the file types it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "core/model/gguf_reader.h"

namespace lockstep {

enum class GgufType : uint32_t {
    u8 = 0,
    i8 = 1,
    u16 = 2,
    i16 = 3,
    u32 = 4,
    i32 = 5,
    f32 = 6,
    boolean = 7,
    string = 8,
    array = 9,
    u64 = 10,
    i64 = 11,
    f64 = 12
};

struct GgufArray {
    GgufType type = GgufType::u8;  // never array: arrays of arrays are refused
    uint64_t count = 0;
    std::span<const std::byte> data;  // the elements as stored, checked to be whole
};

using GgufValue = std::variant<uint64_t, int64_t, double, bool, std::string_view, GgufArray>;

// An array must fit into the rest of the file; one of arrays is refused.
Result<GgufValue> read_gguf_value(GgufReader& reader);

// Bytes of one element; 0 for types whose elements differ in size.
size_t gguf_element_size(GgufType type);
// The element at `data`, of a type that has a size.
GgufValue gguf_scalar(GgufType type, const std::byte* data);

}  // namespace lockstep
