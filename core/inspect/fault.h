// SPDX-License-Identifier: GPL-3.0-or-later
// Faults that can be planted in a path, each as a real bug would act: on the path's arguments,
// weights or outputs. The names are the same words that a diagnosis uses.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "kernels/kernel_path.h"

namespace lockstep {

struct FaultInfo {
    std::string_view name;  // snake_case, stable: "k_bias_dropped"
    StepId step;
    std::string_view summary;  // one sentence: what it does
};
std::span<const FaultInfo> fault_catalog();

struct FaultSpec {
    std::string name;
    int layer = 0;  // ignored for embed and logits
};
// "FAULT@layer=N[,step=S]"; the step, where given, must be the fault's. Errors name what is wrong
// and list the catalogue's names where the name is unknown.
Result<FaultSpec> parse_fault(std::string_view text, int num_hidden_layers);

// A copy of `base` with the fault in it. Every other layer and step is the base's own.
Result<KernelPath> plant_fault(const KernelPath& base, const FaultSpec& fault);

}  // namespace lockstep
