// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/kernel_path.h"

namespace lockstep {

KernelPath KernelPath::with_step(StepId step, const KernelPath& other) const {
    KernelPath mixed = *this;
    const auto bit = static_cast<uint8_t>(1u << static_cast<int>(step));
    mixed.writes_unfused_outputs = static_cast<uint8_t>((writes_unfused_outputs & ~bit) |
                                                        (other.writes_unfused_outputs & bit));
    mixed.replayable = static_cast<uint8_t>((replayable & ~bit) | (other.replayable & bit));
    switch (step) {
        case StepId::embed:
            mixed.embed = other.embed;
            break;
        case StepId::qkv:
            mixed.qkv = other.qkv;
            break;
        case StepId::attention:
            mixed.attention = other.attention;
            break;
        case StepId::attn_output:
            mixed.attn_output = other.attn_output;
            break;
        case StepId::gate_up:
            mixed.gate_up = other.gate_up;
            break;
        case StepId::down:
            mixed.down = other.down;
            break;
        case StepId::logits:
            mixed.logits = other.logits;
            mixed.logits_to_host = other.logits_to_host;
            break;
    }
    return mixed;
}

}  // namespace lockstep
