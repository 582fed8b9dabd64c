// SPDX-License-Identifier: GPL-3.0-or-later
// The vendor library's matrix products, as the reference path uses them. The pool's threads share
// the work and each of them calls oneDNN on its own, with OpenMP held to one thread: so the pool's
// threads are the only ones, none of them spins for OpenMP's sake, and since the parts do not
// depend on how many threads there are, neither does one bit of a result.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/cpu/cpu_stream.h"
#include "kernels/status.h"
#include "kernels/tensor.h"

namespace lockstep {

// How a product of 16-bit operands is made; f32 operands need no choice.
enum class Products {
    native,   // oneDNN reads them as they are, where it can on this machine
    widened,  // converted to f32 beforehand; the result is rounded as it is natively
};
// native for f32, and for bf16 where the CPU has AVX-512; oneDNN 2.6 has no f16 on CPUs.
Products products_for(DType dtype);

// A factor or the result of multiply(): element (r, c) lies at r * stride + c, or, transposed, at
// r + c * stride.
struct Matrix {
    void* data = nullptr;
    int64_t stride = 0;
    bool transposed = false;
};

// Kept on a stream: primitives by shape, and each thread's room. Not to be used by two calls at
// once.
class OneDnn {
  public:
    explicit OneDnn(Stream& stream);
    ~OneDnn();

    // y[t, n] = x[t] . weight[n] + bias[n], summed in f32 and rounded once to x's dtype. x is
    // [T, K], weight [N, K] and bias [N] (or undefined) of the same dtype, y [T, N] of x's dtype or
    // f32. Rows may be strided.
    Status linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y,
                  Products products);

    // c = a * b for a [m, k] and b [k, n] of `dtype` (f32, or 16 bits where that is native) and c
    // f32 [m, n], by the calling thread alone, which is `thread` of the pool. Only b may be
    // transposed. Prepare first, on the stream's thread.
    Status prepare_multiply(DType dtype, bool b_transposed);
    Status multiply(int thread, DType dtype, int64_t m, int64_t k, int64_t n, const Matrix& a,
                    const Matrix& b, const Matrix& c);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep
