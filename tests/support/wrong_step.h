// SPDX-License-Identifier: GPL-3.0-or-later
// A path with one step of one layer done wrong: its arguments are changed before it runs, or what
// it put out is. Only for tests: plain loops, on the host.
#pragma once

#include <functional>

#include "kernels/kernel_path.h"

namespace lockstep::test {

// For every element of a contiguous-row tensor seen as [rows, columns]: value = change(row, column,
// value).
inline void edit(const Tensor& tensor,
                 const std::function<float(int64_t row, int64_t column, float value)>& change) {
    const int64_t columns = tensor.numel() / tensor.shape[0];
    for (int64_t row = 0; row < tensor.shape[0]; ++row) {
        for (int64_t c = 0; c < columns; ++c) {
            const int64_t inner =
                tensor.rank == 3 ? c / tensor.shape[2] * tensor.stride[1] + c % tensor.shape[2] : c;
            const int64_t at = row * tensor.stride[0] + inner;
            store_element(tensor.data, tensor.dtype, at,
                          change(row, c, load_element(tensor.data, tensor.dtype, at)));
        }
    }
}

template <class Args>
using ArgsChange = std::function<void(Args&)>;

// layer: -2 means all.
template <class Args>
KernelPath wrong_step(const KernelPath& base, StepFunction<Args> KernelPath::*step, int layer,
                      ArgsChange<Args> before, ArgsChange<Args> after = nullptr) {
    KernelPath path = base;
    path.name = "wrong";
    path.*step = [honest = base.*step, layer, before, after](const Args& args,
                                                             Stream& stream) -> Status {
        if (layer != -2 && args.context.layer != layer) return honest(args, stream);
        Args changed = args;
        if (before) before(changed);
        LOCKSTEP_TRY(honest(changed, stream));
        changed = args;
        if (after) after(changed);
        return {};
    };
    return path;
}

}  // namespace lockstep::test
