// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/rounding.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/cpu/on_best_target.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lockstep {
namespace {

// dtype.h's, without a branch: vectors have none.
[[gnu::always_inline]] inline uint16_t bf16_from_float_branchless(float value) {
    const auto bits = std::bit_cast<uint32_t>(value);
    const uint32_t nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    const uint32_t quiet = (bits >> 16) | 0x40u;
    return static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? quiet : nearest);
}

void widen_f16_plain(const uint16_t* from, int64_t count, float* to) {
    std::transform(from, from + count, to, float_from_f16);
}

void narrow_f16_plain(const float* from, int64_t count, uint16_t* to) {
    std::transform(from, from + count, to, f16_from_float);
}

#if defined(__x86_64__)

bool has_f16c() {
    // Older compilers cannot ask for F16C; whatever has AVX2 has it.
    static const bool yes = __builtin_cpu_supports("avx2");
    return yes;
}

__attribute__((target("avx,f16c"))) int64_t widen_f16_by_8(const uint16_t* from, int64_t count,
                                                           float* to) {
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
        _mm256_storeu_ps(to + i, _mm256_cvtph_ps(halves));
    }
    return i;
}

__attribute__((target("avx,f16c"))) int64_t narrow_f16_by_8(const float* from, int64_t count,
                                                            uint16_t* to) {
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(from + i),
                                               _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), halves);
    }
    return i;
}

#else

bool has_f16c() {
    return false;
}
int64_t widen_f16_by_8(const uint16_t*, int64_t, float*) {
    return 0;
}
int64_t narrow_f16_by_8(const float*, int64_t, uint16_t*) {
    return 0;
}

#endif

}  // namespace

void widen(const void* from, DType dtype, int64_t count, float* to) {
    const auto* halves = static_cast<const uint16_t*>(from);
    if (dtype == DType::f32) {
        std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
    } else if (dtype == DType::bf16) {
        on_best_target([&]() __attribute__((always_inline)) {
            for (int64_t i = 0; i < count; ++i) to[i] = float_from_bf16(halves[i]);
        });
    } else if (dtype == DType::f16) {
        const int64_t done = has_f16c() ? widen_f16_by_8(halves, count, to) : 0;
        widen_f16_plain(halves + done, count - done, to + done);
    }
}

void narrow(const float* from, int64_t count, DType dtype, void* to) {
    auto* halves = static_cast<uint16_t*>(to);
    if (dtype == DType::f32) {
        std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
    } else if (dtype == DType::bf16) {
        on_best_target([&]() __attribute__((always_inline)) {
            for (int64_t i = 0; i < count; ++i) halves[i] = bf16_from_float_branchless(from[i]);
        });
    } else if (dtype == DType::f16) {
        const int64_t done = has_f16c() ? narrow_f16_by_8(from, count, halves) : 0;
        narrow_f16_plain(from + done, count - done, halves + done);
    }
}

void round_in_place(float* values, int64_t count, DType dtype) {
    if (dtype == DType::bf16) {
        on_best_target([&]() __attribute__((always_inline)) {
            for (int64_t i = 0; i < count; ++i)
                values[i] = float_from_bf16(bf16_from_float_branchless(values[i]));
        });
    } else if (dtype == DType::f16) {
        // By way of a few halves at a time, to have the machine's conversions.
        std::array<uint16_t, 64> halves;
        const auto most = static_cast<int64_t>(halves.size());
        for (int64_t i = 0; i < count; i += most) {
            const int64_t some = std::min(most, count - i);
            narrow(values + i, some, DType::f16, halves.data());
            widen(halves.data(), DType::f16, some, values + i);
        }
    }
}

}  // namespace lockstep
