// SPDX-License-Identifier: GPL-3.0-or-later
// The formulas of a step's pieces, and their variations, in double on the host. Rows of normalised
// activations are kept in f32, as truth keeps them. Internal to diagnose().
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "core/inspect/diagnosis_case.h"

namespace lockstep {

template <class T>
struct Rectangle {  // [rows, columns], row-major
    int64_t rows = 0, columns = 0;
    std::vector<T> values;
    Rectangle() = default;
    Rectangle(int64_t r, int64_t c) : rows(r), columns(c), values(static_cast<size_t>(r * c)) {}
    T* row(int64_t r) { return values.data() + r * columns; }
    const T* row(int64_t r) const { return values.data() + r * columns; }
};
using Matrix = Rectangle<double>;
using FloatMatrix = Rectangle<float>;

enum class Norm : uint8_t {
    rms,                 // x / sqrt(mean(x^2) + eps) * weight
    missing,             // x
    weight_ignored,      // weight = 1
    weight_plus_one,     // 1 + weight
    layer_norm,          // x - mean(x) first
    eps_outside_root,    // x / (sqrt(mean(x^2)) + eps) * weight
    cast_before_weight,  // fp8 (E4M3) of the normalised row, times weight
};
void normalise(const float* x, int64_t columns, Norm norm, double eps, const Tensor& weight,
               float* out);

// How a product's sum is kept.
struct Sum {
    enum class Rounding : uint8_t { none, nearest, towards_zero };
    Rounding rounding = Rounding::none;
    DType dtype = DType::bf16;
    int64_t every = 1;  // products between two roundings
    bool operator==(const Sum&) const = default;
};

// The rows [first, first + rows) of matrices that lie one below the other, [N, K] each, and of
// their biases.
struct Linear {
    std::vector<Tensor> weights;
    std::vector<Tensor> biases;  // undefined or absent: none
    int64_t first = 0, rows = 0;
    int64_t shift = 0;        // row n is taken from n + shift where that is one of [0, N)
    bool transposed = false;  // the memory of a single [N, K] is read as [K, N]
    Sum sum;

    Linear() = default;
    Linear(const Tensor& weight, const Tensor& bias)
        : weights{weight}, biases{bias}, rows(weight.shape[0]) {}
};
// x [R, K] times the matrix's rows `columns` (empty: all): [R, columns]. Adds the bias.
Matrix product(ThreadPool& pool, const FloatMatrix& x, const Linear& linear,
               const std::vector<int64_t>& columns = {});

// Nearest E4M3 value, ties to even; beyond 448 saturates.
double nearest_e4m3(double value);

// cos and sin of a head's pairs at one position.
struct Angles {
    std::vector<double> cosine, sine;  // [D / 2]
};
// By the model's tables (args), as truth has them.
Angles angles_of_table(const QkvArgs& args, int64_t position);
Angles angles_of(const std::vector<float>& inv_freq, int64_t position);
// Rotates `heads` heads of 2 * half in place; pairs (i, i + half), interleaved (2i, 2i + 1).
void rotate(double* heads, int64_t count, const Angles& angles, bool interleaved, bool backwards);

// Where a misfit is least. Of the points from, from + step, ... below to:
using Misfit = std::function<double(double)>;
double least_on_grid(double from, double to, double step, const Misfit& misfit);
// Near a point: up to `reach` steps to either side of the best so far, with a step that halves for
// as long as it is above `finest`.
double least_near(double point, double step, double finest, int reach, const Misfit& misfit);

}  // namespace lockstep
