// SPDX-License-Identifier: GPL-3.0-or-later
// Compiled with -ffp-contract=off: what is rounded where is the point of the reference.
#include "kernels/cpu/reference_rows.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "kernels/cpu/on_best_target.h"
#include "kernels/cpu/rounding.h"

namespace lockstep {
namespace {

// e^x within 1.3 units in the last place: x = n ln 2 + r, and r's exponential as a polynomial
// (Cephes' expf). Below -87.3, where the result would be subnormal, it is 0.
[[gnu::always_inline]] inline float exponential(float x) {
    constexpr float lowest = -87.33654f;
    constexpr float highest = 88.3762f;
    constexpr float to_integer = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    const float above = x < lowest ? lowest : x;
    const float inside = above > highest ? highest : above;
    const float n = (inside * 1.44269504f + to_integer) - to_integer;
    const float r = (inside - n * 0.693359375f) - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    const float power = std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
    const float result = p * power;
    return x < lowest ? 0.0f : result;
}

[[gnu::always_inline]] inline float bf16_rounded(float value) {
    const auto bits = std::bit_cast<uint32_t>(value);
    const uint32_t up = (bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u;
    return std::bit_cast<float>((bits & 0x7fffffffu) > 0x7f800000u ? bits : up);
}

// Rounds a row within a body for the best target.
[[gnu::always_inline]] inline void round_row(float* row, int64_t count, DType dtype) {
    if (dtype == DType::f16) return round_in_place(row, count, dtype);
    if (dtype != DType::bf16) return;
    for (int64_t i = 0; i < count; ++i) row[i] = bf16_rounded(row[i]);
}

// Sums and maxima go in sixteen chains, in an order of their own, so that vectors can do them.
constexpr int64_t chains = 16;

template <class Value, class Term>
[[gnu::always_inline]] inline Value sum_of(int64_t count, const Term& term) {
    std::array<Value, chains> partial{};
    int64_t i = 0;
    for (; i + chains <= count; i += chains) {
        for (int64_t lane = 0; lane < chains; ++lane) partial[lane] += term(i + lane);
    }
    for (; i < count; ++i) partial[0] += term(i);
    Value sum = 0;
    for (const Value& part : partial) sum += part;
    return sum;
}

[[gnu::always_inline]] inline float highest_of(const float* row, int64_t count) {
    std::array<float, chains> partial;
    partial.fill(row[0]);
    int64_t i = 0;
    for (; i + chains <= count; i += chains) {
        for (int64_t lane = 0; lane < chains; ++lane) {
            const float value = row[i + lane];
            partial[lane] = value > partial[lane] ? value : partial[lane];
        }
    }
    float highest = *std::max_element(partial.begin(), partial.end());
    for (; i < count; ++i) highest = row[i] > highest ? row[i] : highest;
    return highest;
}

}  // namespace

void rms_norm_row(float* row, const float* weight, int64_t count, float eps, DType dtype) {
    on_best_target([&]() __attribute__((always_inline)) {
        const auto squares = sum_of<double>(
            count, [&](int64_t i) __attribute__((always_inline)) {
                return static_cast<double>(row[i] * row[i]);
            });
        const auto variance = static_cast<float>(squares / static_cast<double>(count));
        const float scale = 1 / std::sqrt(variance + eps);
        for (int64_t i = 0; i < count; ++i) row[i] *= scale;
        round_row(row, count, dtype);
        for (int64_t i = 0; i < count; ++i) row[i] *= weight[i];
    });
}

void rotate_row(float* row, const float* cosine, const float* sine, int64_t half, DType dtype) {
    on_best_target([&]() __attribute__((always_inline)) {
        const auto products = [&](const auto& round) __attribute__((always_inline)) {
            for (int64_t i = 0; i < half; ++i) {
                const float low = row[i];
                const float high = row[i + half];
                row[i] = round(low * cosine[i]) + round(-high * sine[i]);
                row[i + half] = round(high * cosine[i]) + round(low * sine[i]);
            }
        };
        if (dtype == DType::bf16) return products([](float value) { return bf16_rounded(value); });
        products([&](float value) { return rounded(value, dtype); });
    });
}

void softmax_row(float* scores, int64_t count, float scale, DType dtype) {
    on_best_target([&]() __attribute__((always_inline)) {
        round_row(scores, count, dtype);
        for (int64_t i = 0; i < count; ++i) scores[i] *= scale;
        round_row(scores, count, dtype);
        const float highest = highest_of(scores, count);
        for (int64_t i = 0; i < count; ++i) scores[i] = exponential(scores[i] - highest);
        const auto total = sum_of<float>(
            count, [&](int64_t i) __attribute__((always_inline)) { return scores[i]; });
        for (int64_t i = 0; i < count; ++i) scores[i] /= total;
    });
}

void silu_row(float* gate, const float* up, int64_t count, DType dtype) {
    on_best_target([&]() __attribute__((always_inline)) {
        for (int64_t i = 0; i < count; ++i) gate[i] /= 1 + exponential(-gate[i]);
        round_row(gate, count, dtype);
        for (int64_t i = 0; i < count; ++i) gate[i] *= up[i];
    });
}

void add_row(float* sum, const float* term, int64_t count) {
    on_best_target([&]() __attribute__((always_inline)) {
        for (int64_t i = 0; i < count; ++i) sum[i] += term[i];
    });
}

}  // namespace lockstep
