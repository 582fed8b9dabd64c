// SPDX-License-Identifier: GPL-3.0-or-later
// The element types a tensor may have, and the scalar conversions between the floating ones.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lockstep {

// Quantised types are stored in blocks along the last dimension; today the loader expands them,
// the contract carries them so that kernels can read packed blocks later.
enum class DType : uint8_t { f32, f16, bf16, i32, q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k };

struct DTypeInfo {
    std::string_view name;
    int block_elements;  // 1 for plain types
    int block_bytes;
};

// Indexed by DType; block sizes as ggml defines them.
inline constexpr std::array<DTypeInfo, 12> dtype_infos{{
    {"f32", 1, 4},
    {"f16", 1, 2},
    {"bf16", 1, 2},
    {"i32", 1, 4},
    {"q4_0", 32, 18},
    {"q4_1", 32, 20},
    {"q5_0", 32, 22},
    {"q5_1", 32, 24},
    {"q8_0", 32, 34},
    {"q4_k", 256, 144},
    {"q5_k", 256, 176},
    {"q6_k", 256, 210},
}};
inline const DTypeInfo& dtype_info(DType dtype) {
    return dtype_infos[static_cast<size_t>(dtype)];
}
std::optional<DType> dtype_from_name(std::string_view name);  // "bf16", "q4_k", ...
inline bool is_floating(DType d) {
    return d == DType::f32 || d == DType::f16 || d == DType::bf16;
}

// Bytes of `elements` consecutive elements; elements must be whole blocks.
inline int64_t dtype_bytes(DType dtype, int64_t elements) {
    const DTypeInfo& info = dtype_info(dtype);
    if (info.block_elements == 1) return elements * info.block_bytes;  // kernels ask for each row
    return elements / info.block_elements * info.block_bytes;
}

// bfloat16: the upper half of an IEEE binary32. Rounds to nearest even; NaN stays NaN.
inline uint16_t bf16_from_float(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
    return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
inline float float_from_bf16(uint16_t value) {
    return std::bit_cast<float>(static_cast<uint32_t>(value) << 16);
}

// IEEE binary16, round to nearest even, subnormals kept.
uint16_t f16_from_float(float value);
float float_from_f16(uint16_t value);

// One element at `index` (in elements) of an f32, f16, bf16 or i32 array.
float load_element(const void* data, DType dtype, int64_t index);
void store_element(void* data, DType dtype, int64_t index, float value);

}  // namespace lockstep
