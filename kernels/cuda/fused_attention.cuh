// SPDX-License-Identifier: GPL-3.0-or-later
// What the three attention kernels share: their operands, and rows in shared memory.
#pragma once

#include "kernels/tensor.h"

namespace lockstep::fused {

// Rows of heads: queries [T, A, D], keys or values [C, G, D].
template <class T>
struct HeadRows {
    const T* data;
    int64_t row_stride, head_stride;
    __device__ const T* at(int64_t row, int64_t head) const {
        return data + row * row_stride + head * head_stride;
    }
};
template <class T>
HeadRows<T> head_rows(const Tensor& tensor) {
    return {tensor.as<const T>(), tensor.stride[0], tensor.stride[1]};
}

// Every head's row can be read 16 bytes at a time.
inline bool heads_aligned(const Tensor& tensor) {
    return tensor.stride[0] % 8 == 0 && tensor.stride[1] % 8 == 0 && tensor.shape[2] % 8 == 0 &&
           reinterpret_cast<uintptr_t>(tensor.data) % 16 == 0;
}

// A row in shared memory is eight elements longer than it need be: no bank is met twice.
template <int Dim>
__host__ __device__ constexpr int pitch() {
    return Dim + 8;
}

}  // namespace lockstep::fused
