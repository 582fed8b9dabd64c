// SPDX-License-Identifier: GPL-3.0-or-later
// Block layouts as ggml-common.h defines them; the order of the float operations is that of
// gguf-py's quants.py, which is what "bit for bit" refers to. The loops are plain and free of
// branches, so that the compiler makes vectors of them; this file is compiled without contraction
// of products and sums (see CMakeLists.txt).
#include "core/model/dequantize.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace lockstep {
namespace {

uint16_t load_u16(const std::byte* data) {
    uint16_t value;
    std::memcpy(&value, data, sizeof value);
    return value;
}

// As float_from_f16, without a branch: the product is exact and carries subnormals along.
inline float f16_value(uint16_t half) {
    const uint32_t magnitude = half & 0x7fffu;
    const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
    const uint32_t special = magnitude >= 0x7c00u ? 0x7f800000u : 0u;
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(scaled) | special | sign);
}

// As f16_from_float, without a branch.
inline uint16_t f16_bits(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    const uint32_t sign = (bits >> 16) & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    // 0.5 has the unit 2^-24 of f16's subnormals: the sum is rounded where it should be.
    const uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) -
                               std::bit_cast<uint32_t>(0.5f);
    const uint32_t normal = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - (112u << 23)) >> 13;
    const uint32_t nan = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
    uint32_t half = magnitude < 0x38800000u ? subnormal : normal;
    half = magnitude >= 0x477ff000u ? 0x7c00u : half;
    half = magnitude > 0x7f800000u ? nan : half;
    return static_cast<uint16_t>(sign | half);
}

inline uint16_t bf16_bits(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    const uint32_t nan = (bits >> 16) | 0x40u;
    return static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}

inline int at(const std::byte* data, int index) {
    return std::to_integer<int>(data[index]);
}

// The fifth bits of a Q5_0 or Q5_1 block: bit i belongs to element i.
std::array<uint8_t, 32> fifth_bits(const std::byte* data) {
    uint32_t bits;
    std::memcpy(&bits, data, sizeof bits);
    std::array<uint8_t, 32> high;
    for (uint32_t i = 0; i < 32; ++i) high[i] = static_cast<uint8_t>((bits >> i & 1u) << 4);
    return high;
}

void expand_q4_0(const std::byte* block, float* out) {  // d f16, 16 bytes of nibbles
    const float d = f16_value(load_u16(block));
    for (int i = 0; i < 16; ++i) {
        out[i] = d * static_cast<float>((at(block, 2 + i) & 15) - 8);
        out[i + 16] = d * static_cast<float>((at(block, 2 + i) >> 4) - 8);
    }
}

void expand_q4_1(const std::byte* block, float* out) {  // d f16, m f16, 16 bytes of nibbles
    const float d = f16_value(load_u16(block));
    const float m = f16_value(load_u16(block + 2));
    for (int i = 0; i < 16; ++i) {
        out[i] = d * static_cast<float>(at(block, 4 + i) & 15) + m;
        out[i + 16] = d * static_cast<float>(at(block, 4 + i) >> 4) + m;
    }
}

void expand_q5_0(const std::byte* block, float* out) {  // d f16, 32 high bits, nibbles
    const float d = f16_value(load_u16(block));
    const auto high = fifth_bits(block + 2);
    for (int i = 0; i < 16; ++i) {
        out[i] = d * static_cast<float>(((at(block, 6 + i) & 15) | high[i]) - 16);
        out[i + 16] = d * static_cast<float>(((at(block, 6 + i) >> 4) | high[i + 16]) - 16);
    }
}

void expand_q5_1(const std::byte* block, float* out) {  // d f16, m f16, 32 high bits, nibbles
    const float d = f16_value(load_u16(block));
    const float m = f16_value(load_u16(block + 2));
    const auto high = fifth_bits(block + 4);
    for (int i = 0; i < 16; ++i) {
        out[i] = d * static_cast<float>((at(block, 8 + i) & 15) | high[i]) + m;
        out[i + 16] = d * static_cast<float>((at(block, 8 + i) >> 4) | high[i + 16]) + m;
    }
}

void expand_q8_0(const std::byte* block, float* out) {  // d f16, 32 int8
    const float d = f16_value(load_u16(block));
    const auto* q = reinterpret_cast<const int8_t*>(block + 2);
    for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(q[i]) * d;
}

// The eight 6-bit scales and minima of a Q4_K or Q5_K block, packed in 12 bytes: the lower six bits
// of bytes 0-3 and 4-7, and nibbles of bytes 8-11 under the upper two bits of those.
struct ScalesAndMinima {
    std::array<float, 8> scale, minimum;

    explicit ScalesAndMinima(const std::byte* block) {
        const float d = f16_value(load_u16(block));
        const float dmin = f16_value(load_u16(block + 2));
        const std::byte* packed = block + 4;
        for (int i = 0; i < 4; ++i) {
            const int low = at(packed, i), middle = at(packed, i + 4), nibbles = at(packed, i + 8);
            scale[i] = d * static_cast<float>(low & 63);
            minimum[i] = dmin * static_cast<float>(middle & 63);
            scale[i + 4] = d * static_cast<float>((nibbles & 15) | (low >> 2 & 0x30));
            minimum[i + 4] = dmin * static_cast<float>((nibbles >> 4) | (middle >> 2 & 0x30));
        }
    }
};

void expand_q4_k(const std::byte* block, float* out) {  // d, dmin f16, 12 scales, 128 nibbles
    const ScalesAndMinima s(block);
    for (int pair = 0; pair < 4; ++pair) {  // 32 bytes: a group of 32 in each nibble
        const std::byte* q = block + 16 + 32 * pair;
        float* low = out + 64 * pair;
        float* high = low + 32;
        for (int i = 0; i < 32; ++i) {
            low[i] = s.scale[2 * pair] * static_cast<float>(at(q, i) & 15) - s.minimum[2 * pair];
            high[i] =
                s.scale[2 * pair + 1] * static_cast<float>(at(q, i) >> 4) - s.minimum[2 * pair + 1];
        }
    }
}

void expand_q5_k(const std::byte* block, float* out) {  // as Q4_K, 32 bytes of fifth bits before q
    const ScalesAndMinima s(block);
    const std::byte* fifth = block + 16;
    for (int pair = 0; pair < 4; ++pair) {  // bit g of fifth[i] belongs to element i of group g
        const std::byte* q = block + 48 + 32 * pair;
        float* low = out + 64 * pair;
        float* high = low + 32;
        for (int i = 0; i < 32; ++i) {
            const int bits = at(fifth, i) >> (2 * pair);
            const int q_low = (at(q, i) & 15) | (bits & 1) << 4;
            const int q_high = (at(q, i) >> 4) | (bits & 2) << 3;
            low[i] = s.scale[2 * pair] * static_cast<float>(q_low) - s.minimum[2 * pair];
            high[i] = s.scale[2 * pair + 1] * static_cast<float>(q_high) - s.minimum[2 * pair + 1];
        }
    }
}

// ql 128 bytes, qh 64 bytes, 16 int8 scales, d f16. Each half of 128 elements is four groups of 32
// with two scales each; a group's lower four bits are a nibble of ql, its upper two lie in qh.
void expand_q6_k(const std::byte* block, float* out) {
    const float d = f16_value(load_u16(block + 208));
    const auto* scales = reinterpret_cast<const int8_t*>(block + 192);
    for (int group = 0; group < 8; ++group) {
        const int half = group / 4, in_half = group % 4;
        const std::byte* low = block + 64 * half + 32 * (in_half % 2);
        const std::byte* high = block + 128 + 32 * half;
        const int low_shift = in_half / 2 * 4, high_shift = in_half * 2;
        for (int part = 0; part < 2; ++part) {
            const float scale = d * static_cast<float>(scales[2 * group + part]);
            for (int i = 16 * part; i < 16 * part + 16; ++i) {
                const int q = (at(low, i) >> low_shift & 15) | (at(high, i) >> high_shift & 3) << 4;
                out[32 * group + i] = scale * static_cast<float>(q - 32);
            }
        }
    }
}

template <void (*expand_block)(const std::byte*, float*)>
void expand_blocks(DType dtype, const std::byte* data, float* out, int64_t elements) {
    const DTypeInfo& info = dtype_info(dtype);
    for (int64_t i = 0; i < elements; i += info.block_elements) {
        expand_block(data, out + i);
        data += info.block_bytes;
    }
}

void expand_f16(const std::byte* data, float* out, int64_t elements) {
    for (int64_t i = 0; i < elements; ++i) out[i] = f16_value(load_u16(data + 2 * i));
}

void expand_bf16(const std::byte* data, float* out, int64_t elements) {
    for (int64_t i = 0; i < elements; ++i) out[i] = float_from_bf16(load_u16(data + 2 * i));
}

// Elements on their way through f32: a whole number of any type's blocks, small enough for the
// first-level cache.
constexpr int64_t tile = 2048;

}  // namespace

void expand_to_f32(DType from, const std::byte* data, float* out, int64_t elements) {
    switch (from) {
        case DType::f32:
            std::memcpy(out, data, static_cast<size_t>(elements) * 4);
            break;
        case DType::f16:
            expand_f16(data, out, elements);
            break;
        case DType::bf16:
            expand_bf16(data, out, elements);
            break;
        case DType::q4_0:
            expand_blocks<expand_q4_0>(from, data, out, elements);
            break;
        case DType::q4_1:
            expand_blocks<expand_q4_1>(from, data, out, elements);
            break;
        case DType::q5_0:
            expand_blocks<expand_q5_0>(from, data, out, elements);
            break;
        case DType::q5_1:
            expand_blocks<expand_q5_1>(from, data, out, elements);
            break;
        case DType::q8_0:
            expand_blocks<expand_q8_0>(from, data, out, elements);
            break;
        case DType::q4_k:
            expand_blocks<expand_q4_k>(from, data, out, elements);
            break;
        case DType::q5_k:
            expand_blocks<expand_q5_k>(from, data, out, elements);
            break;
        case DType::q6_k:
            expand_blocks<expand_q6_k>(from, data, out, elements);
            break;
        case DType::i32:
            break;  // never a weight
    }
}

void expand(DType from, const std::byte* data, DType to, void* out, int64_t elements) {
    if (from == to) {
        std::memcpy(out, data, static_cast<size_t>(dtype_bytes(from, elements)));
        return;
    }
    if (to == DType::f32) {
        expand_to_f32(from, data, static_cast<float*>(out), elements);
        return;
    }
    auto* halves = static_cast<uint16_t*>(out);
    std::array<float, tile> values;
    for (int64_t first = 0; first < elements; first += tile) {
        const int64_t count = std::min(tile, elements - first);
        expand_to_f32(from, data + dtype_bytes(from, first), values.data(), count);
        if (to == DType::bf16) {
            for (int64_t i = 0; i < count; ++i) halves[first + i] = bf16_bits(values[i]);
        } else {
            for (int64_t i = 0; i < count; ++i) halves[first + i] = f16_bits(values[i]);
        }
    }
}

}  // namespace lockstep
