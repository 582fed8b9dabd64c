// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/user/weight_store.h"

#include <algorithm>
#include <cstring>

namespace lockstep {

bool is_weight(Role role) {
    return role == Role::weight || role == Role::optional_weight;
}

Result<WeightStore> WeightStore::create(uint64_t budget) {
    LOCKSTEP_ASSIGN(SharedMemory memory, SharedMemory::create("lockstep weights"));
    LOCKSTEP_TRY(memory.grow(round_up(budget, page_bytes)));
    return WeightStore(std::move(memory), budget);
}

// More than it is where two operands are one weight (tied embeddings); that does no harm.
uint64_t WeightStore::needed(const std::vector<Operand>& operands) const {
    uint64_t bytes = 0;
    for (const Operand& operand : operands) {
        if (!is_weight(operand.role) || !operand.tensor.defined()) continue;
        const uint64_t extent = extent_bytes(operand.tensor);
        if (!kept_.contains({operand.tensor.data, extent})) bytes += Places::needed(extent);
    }
    return bytes;
}

void WeightStore::keep(Operand& operand) {
    const uint64_t bytes = extent_bytes(operand.tensor);
    const auto [found, is_new] = kept_.try_emplace({operand.tensor.data, bytes});
    if (is_new) found->second = places_.add(Region::weights, operand.tensor, false);
    operand.place = found->second;
    std::byte* const copy = memory_.data() + operand.place.data;
    if (is_new || std::memcmp(copy, operand.tensor.data, bytes) != 0)
        std::memcpy(copy, operand.tensor.data, bytes);
}

Status WeightStore::place(std::vector<Operand>& operands, bool& forgot) {
    uint64_t end = places_.end() + needed(operands);
    if (end > memory_.bytes() && !kept_.empty()) {
        kept_.clear();
        places_ = {};
        memory_.clear();
        forgot = true;
        end = places_.end() + needed(operands);
    }
    LOCKSTEP_TRY(memory_.grow(end));
    for (Operand& operand : operands) {
        if (is_weight(operand.role) && operand.tensor.defined()) keep(operand);
    }
    return {};
}

}  // namespace lockstep
