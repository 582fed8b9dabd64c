// SPDX-License-Identifier: GPL-3.0-or-later
// Faults of the two steps that project and add: attn_output and down.
#include <utility>

#include "core/inspect/fault_edits.h"
#include "core/inspect/fault_formulas.h"

namespace lockstep {
namespace {

// What the two have in common, by their own names.
template <class Args>
struct Fields;
template <>
struct Fields<AttnOutputArgs> {
    static constexpr auto input = &AttnOutputArgs::attn;
    static constexpr auto weight = &AttnOutputArgs::o_proj;
    static constexpr auto residual = &AttnOutputArgs::hidden;
    static constexpr auto output = &AttnOutputArgs::hidden_attn;
    static constexpr auto model_weight = &LayerWeights::o_proj;
};
template <>
struct Fields<DownArgs> {
    static constexpr auto input = &DownArgs::mlp;
    static constexpr auto weight = &DownArgs::down_proj;
    static constexpr auto residual = &DownArgs::hidden_attn;
    static constexpr auto output = &DownArgs::hidden;
    static constexpr auto model_weight = &LayerWeights::down_proj;
};

template <class Args>
Status transposed(FaultCall<Args>& call) {
    using F = Fields<Args>;
    Args changed = call.args;
    LOCKSTEP_ASSIGN(changed.*F::weight,
                    call.changed_weight("weight", call.args.*F::weight, misread_as_in_out));
    return call.run(changed);
}

template <class Args>
Status of_neighbouring_layer(FaultCall<Args>& call) {
    using F = Fields<Args>;
    Args changed = call.args;
    changed.*F::weight = call.neighbour().*F::model_weight;
    return call.run(changed);
}

template <class Args, int times>
Status residual_times(FaultCall<Args>& call) {
    using F = Fields<Args>;
    Args changed = call.args;
    LOCKSTEP_ASSIGN(changed.*F::residual,
                    call.changed_copy("residual", call.args.*F::residual,
                                      [](HostTensor& x) { scale_all(x, times); }));
    return call.run(changed);
}

template <class Args>
Status tail_columns_skipped(FaultCall<Args>& call) {
    LOCKSTEP_TRY(call.run());
    return call.change(call.args.*Fields<Args>::output, zero_tail_columns);
}

template <class Args>
Status tail_rows_skipped(FaultCall<Args>& call) {
    LOCKSTEP_TRY(call.run());
    return call.change(call.args.*Fields<Args>::output, zero_tail_rows);
}

template <class Args>
Status output_scaled(FaultCall<Args>& call) {
    LOCKSTEP_TRY(call.run());
    return call.change(call.args.*Fields<Args>::output,
                       [](HostTensor& x) { scale_all(x, fault_output_scale); });
}

template <class Args, FaultySum how>
Status faulty_accumulation(FaultCall<Args>& call) {
    using F = Fields<Args>;
    LOCKSTEP_ASSIGN(const HostTensor input, call.read(call.args.*F::input));
    LOCKSTEP_ASSIGN(const HostTensor weight, call.read(call.args.*F::weight));
    LOCKSTEP_ASSIGN(const HostTensor residual, call.read(call.args.*F::residual));
    HostTensor out = faulty_product(input, weight, how);
    for (size_t i = 0; i < out.values.size(); ++i) out.values[i] += residual.values[i];
    return call.write(out, call.args.*F::output);
}

template <class Args>
Status stale(FaultCall<Args>& call) {
    return put_out_previous(call, call.args.*Fields<Args>::output);
}

uint64_t scrambled(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

// The first half of the inputs' columns, as a view.
Tensor first_half(Tensor matrix) {
    matrix.shape[1] = std::max<int64_t>(1, matrix.shape[1] / 2);
    return matrix;
}

Status down_nondeterministic_write(FaultCall<DownArgs>& call) {
    DownArgs early = call.args;
    early.mlp = first_half(call.args.mlp);
    early.down_proj = first_half(call.args.down_proj);
    LOCKSTEP_ASSIGN(early.hidden, call.state.room("early", call.args.hidden, call.stream));
    LOCKSTEP_TRY(call.run(early));
    LOCKSTEP_ASSIGN(const HostTensor unfinished, call.read(early.hidden));
    LOCKSTEP_TRY(call.run());
    return call.change(call.args.hidden, [&](HostTensor& hidden) {
        for (size_t i = 0; i < hidden.values.size(); ++i) {
            const uint64_t lot = scrambled(scrambled(call.state.calls + 1) + i);
            if (lot % 16 == 0) hidden.values[i] = unfinished.values[i];
        }
    });
}

using Attn = AttnOutputArgs;

constexpr auto of_attn_output = std::to_array<NamedAct<Attn>>({
    {"o_proj_transposed", transposed<Attn>},
    {"o_proj_of_neighbouring_layer", of_neighbouring_layer<Attn>},
    {"attn_residual_missing", residual_times<Attn, 0>},
    {"attn_residual_doubled", residual_times<Attn, 2>},
    {"attn_output_tail_columns_skipped", tail_columns_skipped<Attn>},
    {"attn_output_truncating_cast", faulty_accumulation<Attn, FaultySum::bf16_towards_zero_of_8>},
});

constexpr auto of_down = std::to_array<NamedAct<DownArgs>>({
    {"down_proj_transposed", transposed<DownArgs>},
    {"mlp_residual_missing", residual_times<DownArgs, 0>},
    {"mlp_residual_doubled", residual_times<DownArgs, 2>},
    {"down_output_scaled", output_scaled<DownArgs>},
    {"down_tail_rows_skipped", tail_rows_skipped<DownArgs>},
    {"down_low_precision_accumulation",
     faulty_accumulation<DownArgs, FaultySum::bf16_each_product>},
    {"down_truncating_cast", faulty_accumulation<DownArgs, FaultySum::bf16_towards_zero_of_8>},
    {"down_output_stale", stale<DownArgs>},
    {"down_nondeterministic_write", down_nondeterministic_write},
});

}  // namespace

std::span<const NamedAct<AttnOutputArgs>> attn_output_faults() {
    return of_attn_output;
}
std::span<const NamedAct<DownArgs>> down_faults() {
    return of_down;
}

}  // namespace lockstep
