// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/fault_formulas.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/dtype.h"

namespace lockstep {
namespace {

float to_bf16(float value) {
    return float_from_bf16(bf16_from_float(value));
}

void norm_row(const float* x, const float* weight, int64_t count, double eps, FaultyNorm how,
              float* out) {
    if (how == FaultyNorm::missing) {
        std::copy_n(x, count, out);
        return;
    }
    double mean = 0, squares = 0;
    if (how == FaultyNorm::layer_norm) {
        for (int64_t i = 0; i < count; ++i) mean += x[i];
        mean /= static_cast<double>(count);
    }
    for (int64_t i = 0; i < count; ++i) squares += (x[i] - mean) * (x[i] - mean);
    squares /= static_cast<double>(count);
    const double scale = how == FaultyNorm::eps_outside_root ? 1 / (std::sqrt(squares) + eps)
                                                             : 1 / std::sqrt(squares + eps);
    for (int64_t i = 0; i < count; ++i) {
        auto normed = static_cast<float>((x[i] - mean) * scale);
        if (how == FaultyNorm::cast_before_weight) normed = fp8_e4m3(normed);
        out[i] = normed * weight[i];
    }
}

double exact_dot(const float* x, const float* w, int64_t count) {
    double sums[4] = {};
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
        for (int64_t j = 0; j < 4; ++j)
            sums[j] += static_cast<double>(x[i + j]) * static_cast<double>(w[i + j]);
    }
    for (; i < count; ++i) sums[0] += static_cast<double>(x[i]) * static_cast<double>(w[i]);
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

double rounding_dot(const float* x, const float* w, int64_t count) {
    float sum = 0;
    for (int64_t i = 0; i < count; ++i) sum = to_bf16(sum + x[i] * w[i]);
    return sum;
}

double truncating_dot(const float* x, const float* w, int64_t count) {
    float sum = 0;
    for (int64_t first = 0; first < count; first += 8) {
        const int64_t last = std::min(first + 8, count);
        for (int64_t i = first; i < last; ++i) sum += x[i] * w[i];
        sum = bf16_towards_zero(sum);
    }
    return sum;
}

}  // namespace

float bf16_towards_zero(float value) {
    return std::bit_cast<float>(std::bit_cast<uint32_t>(value) & 0xffff0000u);
}

float fp8_e4m3(float value) {
    constexpr float largest = 448;
    constexpr int smallest_exponent = -6, fraction_bits = 3;
    if (!(std::abs(value) < largest))
        return std::isnan(value) ? value : std::copysign(largest, value);
    const int exponent =
        value == 0 ? smallest_exponent : std::max(std::ilogb(value), smallest_exponent);
    const float step = std::ldexp(1.0f, exponent - fraction_bits);
    return std::clamp(std::nearbyint(value / step) * step, -largest, largest);
}

HostTensor faulty_norm(const HostTensor& x, const HostTensor& weight, double eps, FaultyNorm how) {
    HostTensor normed = x;
    for (int64_t t = 0; t < x.rows; ++t)
        norm_row(x.row(t), weight.values.data(), x.columns, eps, how, normed.row(t));
    return normed;
}

HostTensor faulty_product(const HostTensor& x, const HostTensor& weight, FaultySum how) {
    const auto dot = how == FaultySum::none                ? exact_dot
                     : how == FaultySum::bf16_each_product ? rounding_dot
                                                           : truncating_dot;
    HostTensor out{{}, x.rows, weight.rows};
    out.values.resize(static_cast<size_t>(out.rows * out.columns));
    for (int64_t n = 0; n < weight.rows; ++n) {
        for (int64_t t = 0; t < x.rows; ++t)
            out.row(t)[n] = static_cast<float>(dot(x.row(t), weight.row(n), x.columns));
    }
    return out;
}

void rotate_heads(HostTensor& x, int64_t head_dim, const HostTensor& cos, const HostTensor& sin,
                  bool interleaved) {
    const int64_t half = head_dim / 2;
    for (int64_t t = 0; t < x.rows; ++t) {
        for (int64_t head = 0; head < x.columns / head_dim; ++head) {
            float* const at = x.row(t) + head * head_dim;
            for (int64_t i = 0; i < half; ++i) {
                float& a = interleaved ? at[2 * i] : at[i];
                float& b = interleaved ? at[2 * i + 1] : at[i + half];
                const double c = cos.row(t)[i], s = sin.row(t)[i], low = a, high = b;
                a = static_cast<float>(low * c - high * s);
                b = static_cast<float>(high * c + low * s);
            }
        }
    }
}

}  // namespace lockstep
