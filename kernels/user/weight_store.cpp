// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/user/weight_store.h"

#include <algorithm>
#include <cstring>

#include "kernels/user/user_gpu.h"

namespace lockstep {

bool is_weight(Role role) {
    return role == Role::weight || role == Role::optional_weight;
}

Result<WeightStore> WeightStore::create(uint64_t budget) {
    LOCKSTEP_ASSIGN(SharedMemory memory, SharedMemory::create("lockstep weights"));
    LOCKSTEP_TRY(memory.grow(round_up(budget, page_bytes)));
    return WeightStore(std::move(memory));
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

WeightStore::Kept& WeightStore::kept(const Operand& operand, bool& is_new) {
    const auto [found, made] =
        kept_.try_emplace({operand.tensor.data, extent_bytes(operand.tensor)});
    if (made) found->second.place = places_.add(Region::weights, operand, false);
    is_new = made;
    return found->second;
}

void WeightStore::keep(Operand& operand) {
    bool is_new = false;
    operand.place = kept(operand, is_new).place;
    std::byte* const copy = memory_.data() + operand.place.data;
    if (is_new || std::memcmp(copy, operand.tensor.data, operand.place.bytes) != 0)
        std::memcpy(copy, operand.tensor.data, operand.place.bytes);
}

Status WeightStore::keep_from_gpu(std::vector<Operand>& operands, Stream& stream) {
    std::vector<Operand*> weights;
    std::vector<DeviceBytes> memory;
    for (Operand& operand : operands) {
        if (!is_weight(operand.role) || !operand.tensor.defined()) continue;
        weights.push_back(&operand);
        memory.push_back({operand.tensor.data, extent_bytes(operand.tensor)});
    }
    LOCKSTEP_ASSIGN(const std::vector<uint64_t> prints, fingerprints(memory, stream));
    for (size_t i = 0; i < weights.size(); ++i) {
        bool is_new = false;
        Kept& found = kept(*weights[i], is_new);
        const bool fresh = is_new || found.fingerprint != prints[i];
        weights[i]->place = found.place;
        weights[i]->place.fresh = fresh;
        if (!fresh) continue;
        LOCKSTEP_TRY(stream.device().copy_to_host(memory_.data() + found.place.data, memory[i].data,
                                                  memory[i].bytes, stream));
        found.fingerprint = prints[i];
    }
    return stream.synchronize();
}

Status WeightStore::place(std::vector<Operand>& operands, bool& forgot, Stream& stream) {
    uint64_t end = places_.end() + needed(operands);
    if (end > memory_.bytes() && !kept_.empty()) {
        kept_.clear();
        places_ = {};
        memory_.clear();
        forgot = true;
        end = places_.end() + needed(operands);
    }
    LOCKSTEP_TRY(memory_.grow(end));
    if (stream.device().kind() != DeviceKind::cpu) return keep_from_gpu(operands, stream);
    for (Operand& operand : operands) {
        if (is_weight(operand.role) && operand.tensor.defined()) keep(operand);
    }
    return {};
}

}  // namespace lockstep
