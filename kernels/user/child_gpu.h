// SPDX-License-Identifier: GPL-3.0-or-later
// In the child process of a kernel for a GPU: the call's operands there. Each activation lies at
// the end of GPU pages of its own, with addresses behind which there is no memory before and after
// them; weights are kept, beside each other, from call to call.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "kernels/user/child_protocol.h"
#include "kernels/user/operand.h"
#include "kernels/user/user_gpu.h"

namespace lockstep {

class ChildGpu {
  public:
    // The GPU of that number, in this process.
    static Result<std::unique_ptr<ChildGpu>> create(int index);

    // Copies the operands of the call from the memory files, as they are mapped here, to the GPU,
    // and points the call's tensors at them.
    Status give(CallMessage& message, const std::byte* activations, const std::byte* weights);
    // Waits for the kernel, and copies what it may have written to the memory files.
    Status take(const CallMessage& message, std::byte* activations);
    // Whether the call just taken wrote from the default stream or one that waits for it, instead
    // of from the stream it was given. Looked for in a step's second call (the first may wait for
    // the GPU, to load its kernel), and in some more as long as it waits for the GPU or was found.
    bool used_default_stream() const { return used_default_stream_; }
    // The first operand that is not the kernel's to write and is another one now; -1: none.
    Result<int> changed_operand(const CallMessage& message);

  private:
    ChildGpu(Device& device, std::unique_ptr<Stream> stream,
             std::unique_ptr<DefaultStreamHold> hold)
        : device_(device), stream_(std::move(stream)), hold_(std::move(hold)) {}

    Status copy(std::span<const WatchedBytes> outputs, std::byte* activations);
    Status take_what_came_later(const CallMessage& message, std::span<const WatchedBytes> outputs,
                                std::byte* activations);
    Status make_room(std::unique_ptr<GuardedMemory>& memory, uint64_t bytes, bool& moved);
    Status give_activation(const OperandPlace& place, const std::byte* activations);
    Status give_weight(const OperandPlace& place, const std::byte* weights);
    std::byte* address(const OperandPlace& place) const;
    Result<std::vector<uint64_t>> prints(const CallMessage& message) const;

    Device& device_;
    std::unique_ptr<Stream> stream_;
    std::unique_ptr<GuardedMemory> activations_, weights_;
    std::map<uint64_t, uint64_t> kept_;  // weights that are there: place to bytes
    std::vector<uint64_t> given_;        // fingerprints of what it may only read
    std::unique_ptr<DefaultStreamHold> hold_;
    std::array<int, step_count> looks_{};  // for the default stream, of each step
    bool used_default_stream_ = false;
};

}  // namespace lockstep
