// SPDX-License-Identifier: GPL-3.0-or-later
// cuBLAS, opened when a product is first asked for: the program starts, and chats by its own
// kernels, on machines that have no such library.
#pragma once

#include "kernels/cuda/cuda_stream.h"
#include "kernels/tensor.h"

namespace lockstep {

// One matrix of a batch as BLAS sees it: row-major, [rows, columns], `stride` elements from row to
// row and `batch_stride` from one of the batch to the next.
struct BatchedMatrix {
    void* data = nullptr;
    DType dtype = DType::f32;
    int64_t stride = 0;
    int64_t batch_stride = 0;
};

// State of a stream (Stream::state).
class Cublas {
  public:
    explicit Cublas(Stream& stream);
    ~Cublas();
    Cublas(const Cublas&) = delete;
    Cublas& operator=(const Cublas&) = delete;

    // Whether this machine has the library.
    static bool available();

    // y [T, N] = x [T, K] weight [N, K]^T (+ y where `add`), summed in f32: true f32, never TF32.
    // All of one dtype, or y wider.
    Status linear(const Tensor& x, const Tensor& weight, const Tensor& y, bool add);
    // For each of the batch: c [m, n] = a [m, k] b [n, k]^T, or a [m, k] b [k, n].
    enum class B { transposed, plain };
    Status multiply(int64_t m, int64_t n, int64_t k, const BatchedMatrix& a, const BatchedMatrix& b,
                    B layout, const BatchedMatrix& c, int64_t batch);

  private:
    Status prepare();

    CudaStream& stream_;
    void* handle_ = nullptr;
};

}  // namespace lockstep
