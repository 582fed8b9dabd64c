// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/tensor.h"

namespace lockstep {

Tensor::Tensor(void* memory, DType type, std::initializer_list<int64_t> dimensions)
    : data(memory), dtype(type), rank(static_cast<int>(dimensions.size())) {
    int i = 0;
    for (int64_t size : dimensions) shape[i++] = size;
    int64_t step = 1;
    for (int d = rank - 1; d >= 0; --d) {
        stride[d] = step;
        step *= shape[d];
    }
}

int64_t Tensor::numel() const {
    int64_t count = rank > 0 ? 1 : 0;
    for (int d = 0; d < rank; ++d) count *= shape[d];
    return count;
}

bool Tensor::contiguous() const {
    int64_t step = 1;
    for (int d = rank - 1; d >= 0; --d) {
        if (shape[d] != 1 && stride[d] != step) return false;
        step *= shape[d];
    }
    return true;
}

Tensor Tensor::rows(int64_t first, int64_t count) const {
    Tensor view = *this;
    if (data) view.data = static_cast<char*>(data) + dtype_bytes(dtype, first * stride[0]);
    view.shape[0] = count;
    return view;
}

Tensor Tensor::reshaped(std::initializer_list<int64_t> new_shape) const {
    return Tensor(data, dtype, new_shape);
}

std::string Tensor::description() const {
    std::string text(dtype_info(dtype).name);
    text += '[';
    for (int d = 0; d < rank; ++d) text += (d ? ", " : "") + std::to_string(shape[d]);
    text += ']';
    if (!contiguous()) {
        text += " strides [";
        for (int d = 0; d < rank; ++d) text += (d ? ", " : "") + std::to_string(stride[d]);
        text += ']';
    }
    return text;
}

float element(const Tensor& tensor, int64_t logical_index) {
    int64_t offset = 0;
    for (int d = tensor.rank - 1; d >= 0; --d) {
        offset += logical_index % tensor.shape[d] * tensor.stride[d];
        logical_index /= tensor.shape[d];
    }
    return load_element(tensor.data, tensor.dtype, offset);
}

}  // namespace lockstep
