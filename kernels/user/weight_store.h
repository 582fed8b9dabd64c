// SPDX-License-Identifier: GPL-3.0-or-later
// The weights that a kernel in the child process has been shown: copied into shared memory once and
// kept there, as many as fit. Before each use the copy is compared with the weight itself, because
// an address says nothing: another model may lie there by now. Of a weight on a GPU a fingerprint
// is compared (user_gpu.h), which the GPU takes faster than it could send the weight.
#pragma once

#include <map>
#include <utility>

#include "kernels/user/operand.h"
#include "kernels/user/shared_memory.h"

namespace lockstep {

class WeightStore {
  public:
    // budget: bytes to keep. A single step may take more.
    static Result<WeightStore> create(uint64_t budget);

    // Places the operands that are weights. `forgot` becomes true where the places of earlier ones
    // have been given away.
    Status place(std::vector<Operand>& operands, bool& forgot, Stream& stream);

    const SharedMemory& memory() const { return memory_; }

  private:
    explicit WeightStore(SharedMemory memory) : memory_(std::move(memory)) {}
    uint64_t needed(const std::vector<Operand>& operands) const;
    struct Kept {
        OperandPlace place;
        uint64_t fingerprint = 0;  // of a weight on a GPU
    };
    Kept& kept(const Operand& operand, bool& is_new);
    void keep(Operand& operand);
    Status keep_from_gpu(std::vector<Operand>& operands, Stream& stream);

    SharedMemory memory_;
    Places places_;
    std::map<std::pair<const void*, uint64_t>, Kept> kept_;  // by address and bytes
};

bool is_weight(Role role);

}  // namespace lockstep
