// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/weight_plan.h"

namespace lockstep {
namespace {

constexpr size_t alignment = 64;

void place(WeightGroup& group, DType dtype, WeightSlot slot) {
    int64_t elements = 1;
    for (int64_t size : slot.shape) elements *= size;
    const auto bytes = static_cast<size_t>(dtype_bytes(dtype, elements));
    slot.offset = group.bytes;
    group.bytes += (bytes + alignment - 1) / alignment * alignment;
    group.slots.push_back(std::move(slot));
}

WeightGroup plan_layer(const ModelConfig& c, DType dtype, int64_t index, LayerWeights& layer) {
    const std::string hf = "model.layers." + std::to_string(index) + ".";
    const std::string gguf = "blk." + std::to_string(index) + ".";
    const int64_t q_rows = c.num_attention_heads * c.head_dim;
    const int64_t kv_rows = c.num_key_value_heads * c.head_dim;
    WeightGroup group;
    const auto add = [&](const char* hf_name, const char* gguf_name, std::vector<int64_t> shape,
                         Tensor& tensor, int64_t heads = 0) {
        place(group, dtype, {hf + hf_name, gguf + gguf_name, std::move(shape), &tensor, heads, 0});
    };
    add("input_layernorm.weight", "attn_norm.weight", {c.hidden_size}, layer.input_layernorm);
    add("self_attn.q_proj.weight", "attn_q.weight", {q_rows, c.hidden_size}, layer.q_proj,
        c.num_attention_heads);
    add("self_attn.k_proj.weight", "attn_k.weight", {kv_rows, c.hidden_size}, layer.k_proj,
        c.num_key_value_heads);
    add("self_attn.v_proj.weight", "attn_v.weight", {kv_rows, c.hidden_size}, layer.v_proj);
    if (c.qkv_bias) {
        add("self_attn.q_proj.bias", "attn_q.bias", {q_rows}, layer.q_bias, c.num_attention_heads);
        add("self_attn.k_proj.bias", "attn_k.bias", {kv_rows}, layer.k_bias, c.num_key_value_heads);
        add("self_attn.v_proj.bias", "attn_v.bias", {kv_rows}, layer.v_bias);
    }
    add("self_attn.o_proj.weight", "attn_output.weight", {c.hidden_size, q_rows}, layer.o_proj);
    add("post_attention_layernorm.weight", "ffn_norm.weight", {c.hidden_size},
        layer.post_attention_layernorm);
    add("mlp.gate_proj.weight", "ffn_gate.weight", {c.intermediate_size, c.hidden_size},
        layer.gate_proj);
    add("mlp.up_proj.weight", "ffn_up.weight", {c.intermediate_size, c.hidden_size}, layer.up_proj);
    add("mlp.down_proj.weight", "ffn_down.weight", {c.hidden_size, c.intermediate_size},
        layer.down_proj);
    return group;
}

}  // namespace

std::vector<WeightGroup> plan_weights(const ModelConfig& c, DType dtype, Weights& weights) {
    std::vector<WeightGroup> groups(1);
    const std::vector<int64_t> matrix{c.vocab_size, c.hidden_size};
    place(groups[0], dtype,
          {"model.embed_tokens.weight", "token_embd.weight", matrix, &weights.embed_tokens, 0, 0});
    weights.layers.resize(static_cast<size_t>(c.num_hidden_layers));
    for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
        groups.push_back(plan_layer(c, dtype, i, weights.layers[static_cast<size_t>(i)]));
    }
    WeightGroup head;
    place(head, dtype,
          {"model.norm.weight", "output_norm.weight", {c.hidden_size}, &weights.norm, 0, 0});
    if (!c.tie_word_embeddings) {
        place(head, dtype, {"lm_head.weight", "output.weight", matrix, &weights.lm_head, 0, 0});
    }
    groups.push_back(std::move(head));
    return groups;
}

int64_t planned_bytes(const std::vector<WeightGroup>& groups) {
    int64_t total = 0;
    for (const WeightGroup& group : groups) total += static_cast<int64_t>(group.bytes);
    return total;
}

}  // namespace lockstep
