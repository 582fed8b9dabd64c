// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/dtype.h"

#include <cmath>
#include <cstring>

namespace lockstep {
namespace {

template <class T>
T load(const void* data, int64_t index) {
    T value;
    std::memcpy(&value, static_cast<const char*>(data) + index * int64_t{sizeof(T)}, sizeof(T));
    return value;
}

template <class T>
void store(void* data, int64_t index, T value) {
    std::memcpy(static_cast<char*>(data) + index * int64_t{sizeof(T)}, &value, sizeof(T));
}

}  // namespace

std::optional<DType> dtype_from_name(std::string_view name) {
    for (size_t i = 0; i < dtype_infos.size(); ++i) {
        if (dtype_infos[i].name == name) return static_cast<DType>(i);
    }
    if (name == "fp32") return DType::f32;
    if (name == "fp16") return DType::f16;
    return std::nullopt;
}

uint16_t f16_from_float(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    const uint32_t sign = (bits >> 16) & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude >= 0x7f800000u) {  // infinity or NaN, whose payload's upper bits are kept
        const uint32_t mantissa = magnitude & 0x7fffffu;
        const uint32_t quiet = mantissa ? 0x200u | (mantissa >> 13) : 0u;
        return static_cast<uint16_t>(sign | 0x7c00u | quiet);
    }
    if (magnitude >= 0x477ff000u)
        return static_cast<uint16_t>(sign | 0x7c00u);  // rounds past 65504
    if (magnitude < 0x38800000u) {  // subnormal: the unit is 2^-24; rint rounds to nearest even
        const float scaled = std::bit_cast<float>(magnitude) * 0x1p24f;
        return static_cast<uint16_t>(sign | static_cast<uint32_t>(std::nearbyint(scaled)));
    }
    const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u) - (112u << 23);
    return static_cast<uint16_t>(sign | (rounded >> 13));
}

float float_from_f16(uint16_t value) {
    const uint32_t sign = static_cast<uint32_t>(value & 0x8000u) << 16;
    const uint32_t exponent = (value >> 10) & 0x1fu;
    const uint32_t mantissa = value & 0x3ffu;
    if (exponent == 0) {
        const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
        return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
    }
    const uint32_t widened = exponent == 31 ? 0xffu : exponent + 112u;
    return std::bit_cast<float>(sign | (widened << 23) | (mantissa << 13));
}

float load_element(const void* data, DType dtype, int64_t index) {
    switch (dtype) {
        case DType::f32:
            return load<float>(data, index);
        case DType::f16:
            return float_from_f16(load<uint16_t>(data, index));
        case DType::bf16:
            return float_from_bf16(load<uint16_t>(data, index));
        case DType::i32:
            return static_cast<float>(load<int32_t>(data, index));
        default:
            return NAN;  // blocks have no single elements
    }
}

void store_element(void* data, DType dtype, int64_t index, float value) {
    switch (dtype) {
        case DType::f32:
            store(data, index, value);
            break;
        case DType::f16:
            store(data, index, f16_from_float(value));
            break;
        case DType::bf16:
            store(data, index, bf16_from_float(value));
            break;
        case DType::i32:
            store(data, index, static_cast<int32_t>(value));
            break;
        default:
            break;
    }
}

}  // namespace lockstep
