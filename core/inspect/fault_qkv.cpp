// SPDX-License-Identifier: GPL-3.0-or-later
// Faults of qkv but those of RoPE and of the cache (fault_qkv_places.cpp).
#include "core/inspect/fault_qkv.h"

#include "core/inspect/fault_edits.h"
#include "core/inspect/fault_formulas.h"
#include "core/inspect/probe.h"
#include "kernels/cpu/rounding.h"

namespace lockstep {
namespace {

template <Tensor QkvArgs::*bias>
Status bias_dropped(QkvCall& call) {
    QkvArgs changed = call.args;
    changed.*bias = Tensor();
    return call.run(changed);
}

template <Tensor QkvArgs::*weight>
Status transposed(QkvCall& call) {
    QkvArgs changed = call.args;
    LOCKSTEP_ASSIGN(changed.*weight,
                    call.changed_weight("weight", call.args.*weight, misread_as_in_out));
    return call.run(changed);
}

template <Tensor QkvArgs::*weight, Tensor LayerWeights::*model_weight>
Status of_neighbouring_layer(QkvCall& call) {
    QkvArgs changed = call.args;
    changed.*weight = call.neighbour().*model_weight;
    return call.run(changed);
}

// q, k and v one after the other in one matrix (or vector), then cut as k, v and q.
Status repack(QkvCall& call, std::string_view name, Tensor& q, Tensor& k, Tensor& v) {
    const int64_t kv_rows = k.shape[0];
    Tensor packed = q;
    packed.shape[0] += 2 * kv_rows;
    LOCKSTEP_ASSIGN(packed, call.state.room(name, packed, call.stream));
    const int64_t q_rows = q.shape[0];
    LOCKSTEP_TRY(copy_contiguous(q, packed.data, call.stream));
    LOCKSTEP_TRY(copy_contiguous(k, packed.rows(q_rows, kv_rows).data, call.stream));
    LOCKSTEP_TRY(copy_contiguous(v, packed.rows(q_rows + kv_rows, kv_rows).data, call.stream));
    k = packed.rows(0, kv_rows);
    v = packed.rows(kv_rows, kv_rows);
    q = packed.rows(2 * kv_rows, q_rows);
    return {};
}

Status qkv_packing_order(QkvCall& call) {
    QkvArgs changed = call.args;
    LOCKSTEP_TRY(repack(call, "packed", changed.q_proj, changed.k_proj, changed.v_proj));
    if (changed.q_bias.defined() && changed.k_bias.defined() && changed.v_bias.defined())
        LOCKSTEP_TRY(repack(call, "packed_bias", changed.q_bias, changed.k_bias, changed.v_bias));
    return call.run(changed);
}

Status add_bias(QkvCall& call, const Tensor& bias, HostTensor& x) {
    if (!bias.defined()) return {};
    LOCKSTEP_ASSIGN(const HostTensor values, call.read(bias));
    for (int64_t t = 0; t < x.rows; ++t) {
        for (int64_t n = 0; n < x.columns; ++n)
            x.row(t)[n] += values.values[static_cast<size_t>(n)];
    }
    return {};
}

// One of the three, from normed to what the step puts out.
Status project(QkvCall& call, const HostTensor& normed, FaultySum sums, const Tensor& weight,
               const Tensor& bias, const Tensor& pre_rope, const Tensor& out, bool rotated) {
    LOCKSTEP_ASSIGN(const HostTensor matrix, call.read(weight));
    HostTensor x = faulty_product(normed, matrix, sums);
    LOCKSTEP_TRY(add_bias(call, bias, x));
    if (pre_rope.defined()) LOCKSTEP_TRY(call.write(x, pre_rope));
    if (rotated) LOCKSTEP_TRY(rotate(call, x, false));
    return call.write(x, out);
}

// The whole step in plain loops.
Status compute(QkvCall& call, const HostTensor& normed, FaultySum sums) {
    const QkvArgs& args = call.args;
    if (args.normed.defined()) LOCKSTEP_TRY(call.write(normed, args.normed));
    LOCKSTEP_TRY(
        project(call, normed, sums, args.q_proj, args.q_bias, args.q_pre_rope, args.q, true));
    LOCKSTEP_TRY(project(call, normed, sums, args.k_proj, args.k_bias, args.k_pre_rope,
                         appended(args, args.k_cache), true));
    return project(call, normed, sums, args.v_proj, args.v_bias, Tensor(),
                   appended(args, args.v_cache), false);
}

Result<HostTensor> normed_by(QkvCall& call, FaultyNorm norm) {
    LOCKSTEP_ASSIGN(const HostTensor hidden, call.read(call.args.hidden));
    LOCKSTEP_ASSIGN(const HostTensor weight, call.read(call.args.input_layernorm));
    return faulty_norm(hidden, weight, call.args.rms_norm_eps, norm);
}

template <FaultyNorm norm>
Status norm_faulty(QkvCall& call) {
    LOCKSTEP_ASSIGN(const HostTensor normed, normed_by(call, norm));
    return compute(call, normed, FaultySum::none);
}

Status qkv_low_precision_accumulation(QkvCall& call) {
    LOCKSTEP_ASSIGN(HostTensor normed, normed_by(call, FaultyNorm::none));
    round_in_place(normed.values.data(), static_cast<int64_t>(normed.values.size()),
                   call.args.hidden.dtype);
    return compute(call, normed, FaultySum::bf16_each_product);
}

template <void (*change)(HostTensor&)>
Status weight_changed(QkvCall& call) {
    QkvArgs changed = call.args;
    LOCKSTEP_ASSIGN(changed.input_layernorm,
                    call.changed_weight("input_layernorm", call.args.input_layernorm, change));
    return call.run(changed);
}

Status input_norm_eps_wrong(QkvCall& call) {
    QkvArgs changed = call.args;
    changed.rms_norm_eps = 0.1f;
    return call.run(changed);
}

// Row t begins 8 elements too early for each row before it.
Status hidden_stride_ignored(QkvCall& call) {
    QkvArgs changed = call.args;
    const Tensor& hidden = call.args.hidden;
    if (!hidden.contiguous()) {
        LOCKSTEP_ASSIGN(changed.hidden, call.state.room("hidden", hidden, call.stream));
        LOCKSTEP_TRY(copy_contiguous(hidden, changed.hidden.data, call.stream));
    }
    changed.hidden.stride[0] = hidden.shape[1] - 8;
    return call.run(changed);
}

Status hidden_row_shifted(QkvCall& call) {
    QkvArgs changed = call.args;
    LOCKSTEP_ASSIGN(changed.hidden,
                    call.changed_copy("hidden", call.args.hidden, [](HostTensor& x) {
                        if (x.rows > 1)
                            std::copy_backward(x.row(0), x.row(x.rows - 1), x.row(x.rows));
                    }));
    return call.run(changed);
}

Status q_tail_columns_skipped(QkvCall& call) {
    LOCKSTEP_TRY(call.run());
    return call.change(call.args.q, zero_tail_columns);
}

Status q_tail_rows_skipped(QkvCall& call) {
    LOCKSTEP_TRY(call.run());
    return call.change(call.args.q, zero_tail_rows);
}

Status k_output_scaled(QkvCall& call) {
    LOCKSTEP_TRY(call.run());
    return call.change(appended(call.args, call.args.k_cache),
                       [](HostTensor& k) { scale_all(k, fault_output_scale); });
}

using A = QkvArgs;
using W = LayerWeights;

constexpr auto of_qkv = std::to_array<NamedAct<QkvArgs>>({
    {"q_bias_dropped", bias_dropped<&A::q_bias>},
    {"k_bias_dropped", bias_dropped<&A::k_bias>},
    {"v_bias_dropped", bias_dropped<&A::v_bias>},
    {"q_proj_transposed", transposed<&A::q_proj>},
    {"k_proj_transposed", transposed<&A::k_proj>},
    {"v_proj_transposed", transposed<&A::v_proj>},
    {"q_proj_of_neighbouring_layer", of_neighbouring_layer<&A::q_proj, &W::q_proj>},
    {"k_proj_of_neighbouring_layer", of_neighbouring_layer<&A::k_proj, &W::k_proj>},
    {"qkv_packing_order", qkv_packing_order},
    {"k_v_swapped", k_v_swapped},
    {"input_norm_missing", norm_faulty<FaultyNorm::missing>},
    {"input_norm_weight_ignored", weight_changed<fill_ones>},
    {"input_norm_weight_plus_one", weight_changed<add_one>},
    {"input_norm_is_layer_norm", norm_faulty<FaultyNorm::layer_norm>},
    {"input_norm_eps_wrong", input_norm_eps_wrong},
    {"input_norm_eps_outside_root", norm_faulty<FaultyNorm::eps_outside_root>},
    {"input_norm_cast_before_weight", norm_faulty<FaultyNorm::cast_before_weight>},
    {"rope_missing", rope_missing},
    {"k_rope_missing", k_rope_missing},
    {"rope_interleaved", rope_interleaved},
    {"rope_wrong_sign", rope_wrong_sign},
    {"rope_wrong_theta", rope_wrong_theta},
    {"rope_scaling_ignored", rope_scaling_ignored},
    {"rope_position_off_by_one", rope_position_off_by_one},
    {"rope_on_v", rope_on_v},
    {"cache_position_off_by_one", cache_position_off_by_one},
    {"hidden_stride_ignored", hidden_stride_ignored},
    {"hidden_row_shifted", hidden_row_shifted},
    {"q_tail_columns_skipped", q_tail_columns_skipped},
    {"q_tail_rows_skipped", q_tail_rows_skipped},
    {"k_output_scaled", k_output_scaled},
    {"qkv_low_precision_accumulation", qkv_low_precision_accumulation},
});

}  // namespace

std::span<const NamedAct<QkvArgs>> qkv_faults() {
    return of_qkv;
}

}  // namespace lockstep
