// SPDX-License-Identifier: GPL-3.0-or-later
// Changes of values that several faults share.
#pragma once

#include <algorithm>

#include "core/inspect/fault_call.h"

namespace lockstep {

inline constexpr int64_t fault_tail_columns = 32;
inline constexpr int64_t fault_row_block = 4;
inline constexpr float fault_output_scale = 1.0625f;

inline void zero_tail_columns(HostTensor& x) {
    for (int64_t t = 0; t < x.rows; ++t)
        std::fill(x.row(t) + std::max<int64_t>(0, x.columns - fault_tail_columns),
                  x.row(t) + x.columns, 0.0f);
}

inline void zero_tail_rows(HostTensor& x) {
    const int64_t whole = x.rows / fault_row_block * fault_row_block;
    std::fill(x.row(whole), x.row(x.rows), 0.0f);
}

inline void scale_all(HostTensor& x, float factor) {
    for (float& value : x.values) value *= factor;
}

inline void fill_ones(HostTensor& x) {
    std::fill(x.values.begin(), x.values.end(), 1.0f);
}

inline void add_one(HostTensor& x) {
    for (float& value : x.values) value += 1;
}

// The memory of a [rows, columns] matrix read as [columns, rows], and that transposed.
inline void misread_as_in_out(HostTensor& weight) {
    const std::vector<float> memory = weight.values;
    for (int64_t n = 0; n < weight.rows; ++n) {
        for (int64_t k = 0; k < weight.columns; ++k)
            weight.row(n)[k] = memory[static_cast<size_t>(k * weight.rows + n)];
    }
}

// The step's output is what it computed the time before, of other shape or at first: zero.
template <class Args>
Status put_out_previous(FaultCall<Args>& call, const Tensor& out) {
    LOCKSTEP_TRY(call.run());
    LOCKSTEP_ASSIGN(HostTensor computed, call.read(out));
    HostTensor stale = std::exchange(call.state.previous, computed);
    if (stale.rows != computed.rows || stale.columns != computed.columns) {
        stale = std::move(computed);
        scale_all(stale, 0);
    }
    return call.write(stale, out);
}

}  // namespace lockstep
