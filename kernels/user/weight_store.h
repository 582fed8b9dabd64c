// SPDX-License-Identifier: GPL-3.0-or-later
// The weights that a kernel in the child process has been shown: copied into shared memory once and
// kept there, as many as fit. Before each use the copy is compared with the weight itself, because
// an address says nothing: another model may lie there by now.
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
    Status place(std::vector<Operand>& operands, bool& forgot);

    const SharedMemory& memory() const { return memory_; }

  private:
    WeightStore(SharedMemory memory, uint64_t budget)
        : memory_(std::move(memory)), budget_(budget) {}
    uint64_t needed(const std::vector<Operand>& operands) const;
    void keep(Operand& operand);

    SharedMemory memory_;
    uint64_t budget_ = 0;
    Places places_;
    std::map<std::pair<const void*, uint64_t>, OperandPlace> kept_;  // by address and bytes
};

bool is_weight(Role role);

}  // namespace lockstep
