// SPDX-License-Identifier: GPL-3.0-or-later
// What the CPU's kernels ask of their operands beyond check_step, and how they find a row.
#pragma once

#include <string>
#include <vector>

#include "kernels/operand_dtypes.h"
#include "kernels/status.h"
#include "kernels/steps.h"

namespace lockstep {

// Where row `index` of a tensor's first dimension begins.
template <class T>
T* row_of(const Tensor& tensor, int64_t index) {
    return tensor.as<T>() + index * tensor.stride[0];
}
// Where head `head` of row `row` begins in a [T, heads, D] tensor.
template <class T>
T* head_of(const Tensor& tensor, int64_t row, int64_t head) {
    return tensor.as<T>() + row * tensor.stride[0] + head * tensor.stride[1];
}
inline void* row_bytes_of(const Tensor& tensor, int64_t index) {
    return tensor.as<char>() + dtype_bytes(tensor.dtype, index * tensor.stride[0]);
}

// At least `count` elements of room that grows to the largest call and is then reused.
template <class T>
T* with_room(std::vector<T>& room, int64_t count) {
    if (room.size() < static_cast<size_t>(count)) room.resize(static_cast<size_t>(count));
    return room.data();
}

// The position as the call's memory has it; the host's copy must agree.
inline Result<int64_t> position_of(const StepContext& context) {
    const int64_t position = *context.position.as<int32_t>();
    if (position == context.first_row) return position;
    return fail(ErrorKind::invalid_argument, "position is " + std::to_string(position) +
                                                 " in memory, but first_row is " +
                                                 std::to_string(context.first_row));
}

// Every id names a row of the table.
inline Status check_ids(const EmbedArgs& args) {
    const int64_t vocab_size = args.embed_tokens.shape[0];
    for (int64_t t = 0; t < args.ids.shape[0]; ++t) {
        const int32_t id = args.ids.as<int32_t>()[t];
        if (id >= 0 && id < vocab_size) continue;
        return fail(ErrorKind::invalid_argument,
                    "ids[" + std::to_string(t) + "] is " + std::to_string(id) +
                        ", outside the vocabulary of " + std::to_string(vocab_size));
    }
    return {};
}

}  // namespace lockstep
