// SPDX-License-Identifier: GPL-3.0-or-later
// A view of a tensor: where it lies, its dtype, shape and strides. It owns nothing; Buffer
// (device.h) does. Strides are in elements. Weights, caches and activations are all of this type.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "kernels/dtype.h"

namespace lockstep {

struct Tensor {
    static constexpr int max_rank = 4;

    void* data = nullptr;
    DType dtype = DType::f32;
    int rank = 0;
    std::array<int64_t, max_rank> shape{};
    std::array<int64_t, max_rank> stride{};

    Tensor() = default;
    // A contiguous tensor (row-major) at `data`.
    Tensor(void* data, DType dtype, std::initializer_list<int64_t> shape);

    bool defined() const { return data != nullptr; }
    int64_t numel() const;
    int64_t bytes() const { return dtype_bytes(dtype, numel()); }
    // Row-major with no gaps; dimensions of size 1 may have any stride.
    bool contiguous() const;
    // The last dimension is dense (stride 1): what our kernels ask of their operands.
    bool dense_rows() const { return rank > 0 && (stride[rank - 1] == 1 || shape[rank - 1] == 1); }

    // [first, first + count) of dimension 0.
    Tensor rows(int64_t first, int64_t count) const;
    // The same memory with other dimensions; the tensor must be contiguous.
    Tensor reshaped(std::initializer_list<int64_t> new_shape) const;

    template <class T>
    T* as() const {
        return static_cast<T*>(data);
    }

    // "bf16[17, 576]", with strides where they are not the contiguous ones.
    std::string description() const;
};

// fp32 value of one element by its index in the logical (row-major) order; strides are honoured.
float element(const Tensor& tensor, int64_t logical_index);

}  // namespace lockstep
