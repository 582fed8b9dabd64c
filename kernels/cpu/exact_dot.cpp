// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/exact_dot.h"

#include <cstring>

namespace lockstep {
namespace {

// Sixteen chains, as two vectors of eight; the compiler splits them for narrower machines.
constexpr int64_t lanes = 8;
using Doubles = double __attribute__((vector_size(lanes * sizeof(double))));
using Floats = float __attribute__((vector_size(lanes * sizeof(float))));

[[gnu::always_inline]] inline void multiply_add(const double* w, const float* x, Doubles& sum) {
    Doubles a;
    Floats b;
    std::memcpy(&a, w, sizeof a);
    std::memcpy(&b, x, sizeof b);
    sum += a * __builtin_convertvector(b, Doubles);
}

template <int block>
[[gnu::always_inline]] inline void block_dots(const double* w, const float* x, int64_t stride,
                                              int64_t count, double* out) {
    Doubles even[block] = {};
    Doubles odd[block] = {};
    int64_t i = 0;
    for (; i + 2 * lanes <= count; i += 2 * lanes) {
        for (int r = 0; r < block; ++r) {
            multiply_add(w + i, x + r * stride + i, even[r]);
            multiply_add(w + i + lanes, x + r * stride + i + lanes, odd[r]);
        }
    }
    for (int r = 0; r < block; ++r) {
        const Doubles both = even[r] + odd[r];
        double sum = 0;
        for (int lane = 0; lane < lanes; ++lane) sum += both[lane];
        for (int64_t tail = i; tail < count; ++tail)
            sum += w[tail] * static_cast<double>(x[r * stride + tail]);
        out[r] = sum;
    }
}

[[gnu::always_inline]] inline void all_dots(const double* w, const float* x, int64_t stride,
                                            int64_t rows, int64_t count, double* out) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) block_dots<4>(w, x + r * stride, stride, count, out + r);
    for (; r < rows; ++r) block_dots<1>(w, x + r * stride, stride, count, out + r);
}

using Dots = void (*)(const double*, const float*, int64_t, int64_t, int64_t, double*);

void baseline(const double* w, const float* x, int64_t stride, int64_t rows, int64_t count,
              double* out) {
    all_dots(w, x, stride, rows, count, out);
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void avx2(const double* w, const float* x, int64_t stride,
                                              int64_t rows, int64_t count, double* out) {
    all_dots(w, x, stride, rows, count, out);
}
__attribute__((target("avx512f,avx2,fma"))) void avx512(const double* w, const float* x,
                                                        int64_t stride, int64_t rows, int64_t count,
                                                        double* out) {
    all_dots(w, x, stride, rows, count, out);
}
Dots best() {
    if (__builtin_cpu_supports("avx512f")) return avx512;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? avx2 : baseline;
}
#else
Dots best() {
    return baseline;
}
#endif

}  // namespace

void exact_dots(const double* w, const float* x, int64_t stride, int64_t rows, int64_t count,
                double* out) {
    static const Dots dots = best();
    dots(w, x, stride, rows, count, out);
}

}  // namespace lockstep
