// SPDX-License-Identifier: GPL-3.0-or-later
// How a tensor with any strides is walked in pieces that can be copied at once.
#pragma once

#include "kernels/status.h"
#include "kernels/tensor.h"

namespace lockstep {

// body(offset, index, count) for each run of `count` elements that lie without gaps: `offset` is
// where they begin in the tensor's memory, `index` in its logical (row-major) order. Ends with the
// first error.
template <class Body>
Status for_each_dense_run(const Tensor& tensor, const Body& body) {
    int outer = tensor.rank;
    int64_t run = 1;
    while (outer > 0 && (tensor.shape[outer - 1] == 1 || tensor.stride[outer - 1] == run)) {
        --outer;
        run *= tensor.shape[outer];
    }
    const int64_t runs = run == 0 ? 0 : tensor.numel() / run;
    for (int64_t index = 0; index < runs; ++index) {
        int64_t offset = 0, rest = index;
        for (int d = outer - 1; d >= 0; --d) {
            offset += rest % tensor.shape[d] * tensor.stride[d];
            rest /= tensor.shape[d];
        }
        LOCKSTEP_TRY(body(offset, index * run, run));
    }
    return {};
}

}  // namespace lockstep
