// SPDX-License-Identifier: GPL-3.0-or-later
// Faults that can be planted in a path, each as a real bug would act: on what the path's kernel is
// given, or on what it puts out. The names are the same words that a diagnosis uses.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/model/model.h"
#include "kernels/kernel_path.h"

namespace lockstep {

struct FaultInfo {
    std::string_view name;  // snake_case, stable: "k_bias_dropped"
    StepId step;
    std::string_view summary;  // one sentence: what it computes instead of what steps.h says
    // What the tokens must have for it to change anything: "more than one token". Empty: any have.
    std::string_view shows_with = {};
};
// In the order of the steps. fault_catalog.cpp is the only place where they are listed.
std::span<const FaultInfo> fault_catalog();
// Null where there is none of that name.
const FaultInfo* find_fault(std::string_view name);

// A prompt of so many tokens has what single rows, round numbers of them and position 0 hide: it
// has every shows_with.
inline constexpr int separating_tokens = 21;

struct FaultSpec {
    std::string name;
    int layer = 0;  // -1 for a fault of embed, num_hidden_layers for one of logits

    bool operator==(const FaultSpec&) const = default;
};
// "FAULT@layer=N[,step=S]"; "FAULT" alone where its step is embed or logits. The step, where given,
// must be the fault's. Errors name what is wrong and list the catalogue's names where the name is
// unknown.
Result<FaultSpec> parse_fault(std::string_view text, int num_hidden_layers);
std::string fault_text(const FaultSpec& fault);  // what parse_fault reads

// Why the fault can't show in this model, whatever the input: "the model has no bias", "has one key
// head". Empty where it can.
std::string fault_without_effect(const FaultInfo& fault, const ModelConfig& config);

// A copy of `base`, on its device, with the fault in it. Every other layer and step is the base's
// own. `model` is on the same device as the sessions that the path will run in; faults that read
// another layer's weights take them from it.
Result<KernelPath> plant_fault(const KernelPath& base, const FaultSpec& fault,
                               std::shared_ptr<const Model> model);

}  // namespace lockstep
