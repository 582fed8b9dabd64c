// SPDX-License-Identifier: GPL-3.0-or-later
// Every fault that can be planted and that a diagnosis can name. A summary is the definition: the
// injector (acting on a path) and the hypothesis (a variation of truth) are written from it apart
// from each other. Where a number is part of it, real kernels may differ in it: a diagnosis then
// says the number that fits.
#include <algorithm>
#include <array>

#include "core/inspect/fault.h"

namespace lockstep {
namespace {

using enum StepId;

// Of some faults, what the tokens must have.
constexpr std::string_view other_token = "a token that is not the vocabulary's last";
constexpr std::string_view rotation = "more than one token: at position 0 nothing is rotated";
constexpr std::string_view second_row =
    "more than one token in the prompt (a decode step has one row)";
constexpr std::string_view second_key = "more than one token: of one key the softmax is 1";
constexpr std::string_view second_row_of_cache =
    "more than one token: a cache of one row has one layout";
constexpr std::string_view partial_tile = "a number of tokens that is no multiple of 4";
constexpr std::string_view ninth_key = "more than 8 tokens";

constexpr auto faults = std::to_array<FaultInfo>({
    {"embed_row_shifted", embed, "the row of token id + 1 is looked up (of the last id: its own)",
     other_token},
    {"embed_scaled", embed, "the rows are multiplied by sqrt(hidden_size), as Gemma does"},
    {"embed_tail_columns_skipped", embed, "the last 32 columns are left zero"},

    {"q_bias_dropped", qkv, "q_proj's bias is not added"},
    {"k_bias_dropped", qkv, "k_proj's bias is not added"},
    {"v_bias_dropped", qkv, "v_proj's bias is not added"},
    {"q_proj_transposed", qkv, "q_proj's memory is read as [in, out] instead of [out, in]"},
    {"k_proj_transposed", qkv, "k_proj's memory is read as [in, out] instead of [out, in]"},
    {"v_proj_transposed", qkv, "v_proj's memory is read as [in, out] instead of [out, in]"},
    {"q_proj_of_neighbouring_layer", qkv,
     "q_proj is the next layer's (in the last: the one before)"},
    {"k_proj_of_neighbouring_layer", qkv,
     "k_proj is the next layer's (in the last: the one before)"},
    {"qkv_packing_order", qkv,
     "the rows of [q_proj; k_proj; v_proj], packed one after the other, are taken as if k came "
     "first, then v, then q (weights and biases alike)"},
    {"k_v_swapped", qkv, "what belongs in the k cache is written to the v cache and the reverse"},
    {"input_norm_missing", qkv, "hidden is projected as it is: neither normalised nor weighted"},
    {"input_norm_weight_ignored", qkv, "input_layernorm's weight is taken as 1"},
    {"input_norm_weight_plus_one", qkv, "input_layernorm's weight is taken as 1 + weight"},
    {"input_norm_is_layer_norm", qkv, "the row's mean is subtracted before it is normalised"},
    {"input_norm_eps_wrong", qkv, "rms_norm_eps is taken as 0.1"},
    {"input_norm_eps_outside_root", qkv, "hidden / (sqrt(mean of squares) + rms_norm_eps)"},
    {"input_norm_cast_before_weight", qkv,
     "the normalised row is cast to fp8 (E4M3, to nearest) before it is multiplied by the weight"},
    {"rope_missing", qkv, "q and k are not rotated", rotation},
    {"k_rope_missing", qkv, "q is rotated, k is not", rotation},
    {"rope_interleaved", qkv, "pairs are (2i, 2i + 1) instead of (i, i + D/2)", rotation},
    {"rope_wrong_sign", qkv, "q and k are rotated by the negative angle", rotation},
    {"rope_wrong_theta", qkv,
     "the angles are of rope_theta 10,000 without scaling (of 500,000 where the model's is "
     "10,000)",
     rotation},
    {"rope_scaling_ignored", qkv, "the angles are rope_theta's without the model's rope_scaling",
     rotation},
    {"rope_position_off_by_one", qkv, "q and k are rotated as if each stood one position later"},
    {"rope_on_v", qkv, "v is rotated as k is", rotation},
    {"cache_position_off_by_one", qkv,
     "k and v are appended one row too late: row t stands where t + 1 belongs, the last is lost, "
     "and the first appended row keeps what it held"},
    {"hidden_stride_ignored", qkv,
     "row t of hidden begins at element t * (H - 8) of its memory instead of t * H", second_row},
    {"hidden_row_shifted", qkv, "row t is computed from row t - 1 of hidden (row 0 from row 0)",
     second_row},
    {"q_tail_columns_skipped", qkv, "the last 32 columns of q (over all heads) are left zero"},
    {"q_tail_rows_skipped", qkv, "after the last whole 4 rows, q's rows are left zero (T < 4: all)",
     partial_tile},
    {"k_output_scaled", qkv, "k is multiplied by 1.0625"},
    {"qkv_low_precision_accumulation", qkv,
     "normed is rounded to the activations' dtype, and the sums of the three projections to bf16 "
     "after every product, in the inputs' order; bias and rope follow in fp32"},

    {"softmax_scale_wrong", attention, "scores are multiplied by 1 / D instead of 1 / sqrt(D)",
     second_key},
    {"softmax_scale_missing", attention, "scores are not scaled", second_key},
    {"causal_mask_missing", attention, "every row sees all of the batch's keys", second_row},
    {"causal_mask_off_by_one", attention,
     "a row does not see its own key (the conversation's first row does)", second_key},
    {"tail_keys_skipped", attention,
     "of each row's keys those after the last whole 8 are not seen (of fewer than 8 all are)",
     ninth_key},
    {"grouped_head_map_wrong", attention, "head a reads key head a mod G instead of a / (A / G)"},
    {"cache_layout_wrong", attention,
     "the caches' memory is read as [G, C, D] instead of [C, G, D]", second_row_of_cache},
    {"v_cache_is_k_cache", attention, "the scores weigh the rows of the k cache instead of v's"},
    {"attn_heads_transposed", attention, "attn is written as [D, A] instead of [A, D] in each row"},
    {"attn_output_stale", attention,
     "the output is what the step's previous call computed (of other shape or none: zero)",
     second_key},

    {"o_proj_transposed", attn_output, "o_proj's memory is read as [in, out] instead of [out, in]"},
    {"o_proj_of_neighbouring_layer", attn_output,
     "o_proj is the next layer's (in the last: the one before)"},
    {"attn_residual_missing", attn_output, "hidden is not added"},
    {"attn_residual_doubled", attn_output, "hidden is added twice"},
    {"attn_output_tail_columns_skipped", attn_output, "the last 32 columns are left zero"},
    {"attn_output_truncating_cast", attn_output,
     "the projection's sum is cast to bf16 towards zero after every 8 inputs; hidden is added in "
     "fp32"},

    {"post_norm_missing", gate_up,
     "hidden_attn is projected as it is: neither normalised nor weighted"},
    {"post_norm_weight_ignored", gate_up, "post_attention_layernorm's weight is taken as 1"},
    {"post_norm_weight_plus_one", gate_up,
     "post_attention_layernorm's weight is taken as 1 + weight"},
    {"post_norm_is_layer_norm", gate_up, "the row's mean is subtracted before it is normalised"},
    {"gate_up_swapped", gate_up, "silu is applied to up instead of gate"},
    {"silu_missing", gate_up, "gate * up without an activation"},
    {"gelu_for_silu", gate_up, "gelu(gate) * up, with tanh's approximation"},
    {"sigmoid_for_silu", gate_up, "sigmoid(gate) * up"},
    {"gate_proj_of_neighbouring_layer", gate_up,
     "gate_proj is the next layer's (in the last: the one before)"},
    {"mlp_tail_columns_skipped", gate_up, "the last 32 columns are left zero"},

    {"down_proj_transposed", down, "down_proj's memory is read as [in, out] instead of [out, in]"},
    {"mlp_residual_missing", down, "hidden_attn is not added"},
    {"mlp_residual_doubled", down, "hidden_attn is added twice"},
    {"down_output_scaled", down, "hidden is multiplied by 1.0625"},
    {"down_tail_rows_skipped", down, "after the last whole 4 rows, rows are left zero (T < 4: all)",
     partial_tile},
    {"down_low_precision_accumulation", down,
     "the projection's sums are rounded to bf16 after every product, in the inputs' order; "
     "hidden_attn is added in fp32"},
    {"down_truncating_cast", down,
     "the projection's sum is cast to bf16 towards zero after every 8 inputs; hidden_attn is "
     "added in fp32"},
    {"down_output_stale", down,
     "the output is what the step's previous call computed (of other shape or none: zero)"},
    {"down_nondeterministic_write", down,
     "one element in 16, others at each call, is written before the second half of its inputs is "
     "added"},

    {"final_norm_missing", logits, "hidden is projected as it is: neither normalised nor weighted"},
    {"final_norm_weight_ignored", logits, "norm's weight is taken as 1"},
    {"wrong_head", logits, "lm_head's row n is taken from row n + 1 (the last: its own)"},
    {"lm_head_is_embed_tokens", logits,
     "the head is embed_tokens though the model has one of its own"},
    {"logits_tail_columns_skipped", logits, "the last 32 columns are left zero"},
});

}  // namespace

std::span<const FaultInfo> fault_catalog() {
    return faults;
}

const FaultInfo* find_fault(std::string_view name) {
    const auto found = std::find_if(faults.begin(), faults.end(),
                                    [&](const FaultInfo& fault) { return fault.name == name; });
    return found == faults.end() ? nullptr : &*found;
}

}  // namespace lockstep
