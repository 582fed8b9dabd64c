// SPDX-License-Identifier: GPL-3.0-or-later
// Faults of gate_up. Those of the activation lie inside the step: they are computed here.
#include <cmath>
#include <utility>

#include "core/inspect/fault_edits.h"
#include "core/inspect/fault_formulas.h"

namespace lockstep {
namespace {

using GateUpCall = FaultCall<GateUpArgs>;

double silu(double x) {
    return x / (1 + std::exp(-x));
}
double sigmoid(double x) {
    return 1 / (1 + std::exp(-x));
}
double identity(double x) {
    return x;
}
double gelu_tanh(double x) {
    constexpr double root_2_over_pi = 0.79788456080286536;
    return 0.5 * x * (1 + std::tanh(root_2_over_pi * (x + 0.044715 * x * x * x)));
}

template <FaultyNorm norm, double (*activation)(double)>
Status computed(GateUpCall& call) {
    const GateUpArgs& args = call.args;
    LOCKSTEP_ASSIGN(const HostTensor hidden, call.read(args.hidden_attn));
    LOCKSTEP_ASSIGN(const HostTensor weight, call.read(args.post_attention_layernorm));
    const HostTensor normed = faulty_norm(hidden, weight, args.rms_norm_eps, norm);
    LOCKSTEP_ASSIGN(const HostTensor gate_proj, call.read(args.gate_proj));
    LOCKSTEP_ASSIGN(const HostTensor up_proj, call.read(args.up_proj));
    HostTensor mlp = faulty_product(normed, gate_proj, FaultySum::none);
    const HostTensor up = faulty_product(normed, up_proj, FaultySum::none);
    for (size_t i = 0; i < mlp.values.size(); ++i)
        mlp.values[i] = static_cast<float>(activation(mlp.values[i]) * up.values[i]);
    if (args.normed.defined()) LOCKSTEP_TRY(call.write(normed, args.normed));
    return call.write(mlp, args.mlp);
}

template <void (*change)(HostTensor&)>
Status weight_changed(GateUpCall& call) {
    GateUpArgs changed = call.args;
    LOCKSTEP_ASSIGN(changed.post_attention_layernorm,
                    call.changed_weight("post_attention_layernorm",
                                        call.args.post_attention_layernorm, change));
    return call.run(changed);
}

Status gate_up_swapped(GateUpCall& call) {
    GateUpArgs changed = call.args;
    std::swap(changed.gate_proj, changed.up_proj);
    return call.run(changed);
}

Status gate_proj_of_neighbouring_layer(GateUpCall& call) {
    GateUpArgs changed = call.args;
    changed.gate_proj = call.neighbour().gate_proj;
    return call.run(changed);
}

Status mlp_tail_columns_skipped(GateUpCall& call) {
    LOCKSTEP_TRY(call.run());
    return call.change(call.args.mlp, zero_tail_columns);
}

constexpr auto of_gate_up = std::to_array<NamedAct<GateUpArgs>>({
    {"post_norm_missing", computed<FaultyNorm::missing, silu>},
    {"post_norm_weight_ignored", weight_changed<fill_ones>},
    {"post_norm_weight_plus_one", weight_changed<add_one>},
    {"post_norm_is_layer_norm", computed<FaultyNorm::layer_norm, silu>},
    {"gate_up_swapped", gate_up_swapped},
    {"silu_missing", computed<FaultyNorm::none, identity>},
    {"gelu_for_silu", computed<FaultyNorm::none, gelu_tanh>},
    {"sigmoid_for_silu", computed<FaultyNorm::none, sigmoid>},
    {"gate_proj_of_neighbouring_layer", gate_proj_of_neighbouring_layer},
    {"mlp_tail_columns_skipped", mlp_tail_columns_skipped},
});

}  // namespace

std::span<const NamedAct<GateUpArgs>> gate_up_faults() {
    return of_gate_up;
}

}  // namespace lockstep
