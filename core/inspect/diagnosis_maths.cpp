// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/diagnosis_maths.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/cpu/exact_dot.h"
#include "kernels/cpu/operands.h"
#include "kernels/cpu/rounding.h"

namespace lockstep {
namespace {

// A value cut to `dtype`, towards zero.
float towards_zero(float value, DType dtype) {
    const float nearest = rounded(value, dtype);
    if (std::abs(nearest) <= std::abs(value) || dtype == DType::f32) return nearest;
    if (dtype == DType::bf16)
        return std::bit_cast<float>(std::bit_cast<uint32_t>(value) & 0xffff0000u);
    return float_from_f16(static_cast<uint16_t>(f16_from_float(value) - 1));
}

float kept(float value, const Sum& sum) {
    if (sum.rounding == Sum::Rounding::towards_zero) return towards_zero(value, sum.dtype);
    return rounded(value, sum.dtype);
}

// One product whose sum is rounded again and again, in the inputs' order.
double rounded_sum(const float* x, const float* w, int64_t count, const Sum& sum) {
    float total = 0;
    for (int64_t first = 0; first < count; first += sum.every) {
        const int64_t last = std::min(first + sum.every, count);
        double piece = total;
        for (int64_t i = first; i < last; ++i) piece += static_cast<double>(x[i]) * w[i];
        total = kept(static_cast<float>(piece), sum);
    }
    return total;
}

// Row n of matrices one below the other.
struct RowPlace {
    size_t piece = 0;
    int64_t row = 0;
};
RowPlace place_of(const Linear& linear, int64_t n) {
    int64_t all = 0;
    for (const Tensor& weight : linear.weights) all += weight.shape[0];
    const int64_t shifted = linear.first + n + linear.shift;
    int64_t row = shifted >= 0 && shifted < all ? shifted : linear.first + n;
    size_t piece = 0;
    while (row >= linear.weights[piece].shape[0]) row -= linear.weights[piece++].shape[0];
    return {piece, row};
}

double bias_of(const Linear& linear, RowPlace place) {
    if (place.piece >= linear.biases.size() || !linear.biases[place.piece].defined()) return 0;
    const Tensor& bias = linear.biases[place.piece];
    return load_element(bias.data, bias.dtype, place.row);
}

void plain_column(const FloatMatrix& x, const Linear& linear, int64_t n, int64_t column,
                  Matrix& out, std::vector<float>& narrow, std::vector<double>& wide,
                  std::vector<double>& sums) {
    const RowPlace place = place_of(linear, n);
    const Tensor& weight = linear.weights[place.piece];
    narrow.resize(static_cast<size_t>(x.columns));
    wide.resize(narrow.size());
    sums.resize(static_cast<size_t>(x.rows));
    widen(row_bytes_of(weight, place.row), weight.dtype, x.columns, narrow.data());
    if (linear.sum.rounding == Sum::Rounding::none) {
        std::copy(narrow.begin(), narrow.end(), wide.begin());
        exact_dots(wide.data(), x.values.data(), x.columns, x.rows, x.columns, sums.data());
    } else {
        for (int64_t t = 0; t < x.rows; ++t)
            sums[static_cast<size_t>(t)] =
                rounded_sum(x.row(t), narrow.data(), x.columns, linear.sum);
    }
    const double bias = bias_of(linear, place);
    for (int64_t t = 0; t < x.rows; ++t) out.row(t)[column] = sums[static_cast<size_t>(t)] + bias;
}

// y[n] = sum over k of x[k] * memory[k * N + n]
void transposed_product(ThreadPool& pool, const FloatMatrix& x, const Linear& linear, Matrix& out) {
    const Tensor& weight = linear.weights[0];
    const int64_t count = weight.shape[0];
    pool.parallel_for(count, 16, [&](int64_t first, int64_t last, int) {
        std::vector<float> row(static_cast<size_t>(last - first));
        for (int64_t k = 0; k < x.columns; ++k) {
            widen(weight.as<char>() + dtype_bytes(weight.dtype, k * count + first), weight.dtype,
                  last - first, row.data());
            for (int64_t t = 0; t < x.rows; ++t) {
                const double factor = x.row(t)[k];
                double* const sums = out.row(t) + first;
                for (int64_t n = 0; n < last - first; ++n)
                    sums[n] += factor * static_cast<double>(row[static_cast<size_t>(n)]);
            }
        }
        for (int64_t n = first; n < last; ++n) {
            const double bias = bias_of(linear, {0, n});
            for (int64_t t = 0; t < x.rows; ++t) out.row(t)[n] += bias;
        }
    });
}

}  // namespace

double nearest_e4m3(double value) {
    const double size = std::abs(value);
    if (!(size > 0)) return value;
    const int exponent = std::max(std::ilogb(size), -6);
    const double step = std::ldexp(1.0, exponent - 3);
    return std::copysign(std::min(std::nearbyint(size / step) * step, 448.0), value);
}

void normalise(const float* x, int64_t columns, Norm norm, double eps, const Tensor& weight,
               float* out) {
    if (norm == Norm::missing) {
        std::copy_n(x, columns, out);
        return;
    }
    const auto count = static_cast<double>(columns);
    double mean = 0, squares = 0;
    if (norm == Norm::layer_norm) mean = std::accumulate(x, x + columns, 0.0) / count;
    for (int64_t i = 0; i < columns; ++i) squares += (x[i] - mean) * (x[i] - mean);
    double scale = 1 / std::sqrt(squares / count + eps);
    if (norm == Norm::eps_outside_root) scale = 1 / (std::sqrt(squares / count) + eps);
    std::vector<float> w(static_cast<size_t>(columns), 1.0f);
    if (norm != Norm::weight_ignored) widen(weight.data, weight.dtype, columns, w.data());
    for (int64_t i = 0; i < columns; ++i) {
        double factor = w[static_cast<size_t>(i)];
        if (norm == Norm::weight_plus_one) factor += 1;
        double value = (x[i] - mean) * scale;
        if (norm == Norm::cast_before_weight) value = nearest_e4m3(value);
        out[i] = static_cast<float>(value * factor);
    }
}

Matrix product(ThreadPool& pool, const FloatMatrix& x, const Linear& linear,
               const std::vector<int64_t>& columns) {
    const int64_t count = columns.empty() ? linear.rows : static_cast<int64_t>(columns.size());
    Matrix out(x.rows, count);
    if (linear.transposed) {
        transposed_product(pool, x, linear, out);
        return out;
    }
    pool.parallel_for(count, 1, [&](int64_t first, int64_t last, int) {
        std::vector<float> narrow;
        std::vector<double> wide, sums;
        for (int64_t c = first; c < last; ++c) {
            const int64_t n = columns.empty() ? c : columns[static_cast<size_t>(c)];
            plain_column(x, linear, n, c, out, narrow, wide, sums);
        }
    });
    return out;
}

Angles angles_of_table(const QkvArgs& args, int64_t position) {
    const int64_t half = args.rope_cos.shape[1];
    const float* const cosine = row_of<float>(args.rope_cos, position);
    const float* const sine = row_of<float>(args.rope_sin, position);
    return {{cosine, cosine + half}, {sine, sine + half}};
}

Angles angles_of(const std::vector<float>& inv_freq, int64_t position) {
    Angles angles;
    for (const float frequency : inv_freq) {
        const float angle = static_cast<float>(position) * frequency;  // in f32, as tables have it
        angles.cosine.push_back(std::cos(static_cast<double>(angle)));
        angles.sine.push_back(std::sin(static_cast<double>(angle)));
    }
    return angles;
}

void rotate(double* heads, int64_t count, const Angles& angles, bool interleaved, bool backwards) {
    const auto half = static_cast<int64_t>(angles.cosine.size());
    for (int64_t head = 0; head < count; ++head, heads += 2 * half) {
        for (int64_t i = 0; i < half; ++i) {
            double& first = heads[interleaved ? 2 * i : i];
            double& second = heads[interleaved ? 2 * i + 1 : i + half];
            const double a = first, b = second;
            const double cosine = angles.cosine[static_cast<size_t>(i)];
            const double sine = (backwards ? -1 : 1) * angles.sine[static_cast<size_t>(i)];
            first = a * cosine - b * sine;
            second = b * cosine + a * sine;
        }
    }
}

double least_on_grid(double from, double to, double step, const Misfit& misfit) {
    const auto points = static_cast<int>(std::ceil((to - from) / step));
    double best = from, least = misfit(from);
    for (int i = 1; i < points; ++i) {
        const double other = from + i * step;
        const double found = misfit(other);
        if (!(found < least)) continue;
        best = other;
        least = found;
    }
    return best;
}

double least_near(double point, double step, double finest, int reach, const Misfit& misfit) {
    double best = point, least = misfit(point);
    while (step > finest) {
        const double middle = best;
        for (int i = -reach; i <= reach; ++i) {
            const double other = middle + i * step;
            const double found = i == 0 ? least : misfit(other);
            if (!(found < least)) continue;
            best = other;
            least = found;
        }
        step /= 2;
    }
    return best;
}

}  // namespace lockstep
