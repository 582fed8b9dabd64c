// SPDX-License-Identifier: GPL-3.0-or-later
// The contract of the seven steps of a forward pass. One struct of arguments per step; every field
// says its shape, and `fields()` says the same to programs: the catalogue, the probe, the tests,
// the benchmarks and the diagnosis are loops over it. Nothing else describes a step.
//
// Symbols: T rows (tokens) >= 1, prefill and decode alike; H hidden_size; A num_attention_heads;
// G num_key_value_heads; D head_dim; I intermediate_size; V vocab_size; C context (cache) length.
// Activations have one dtype per call (f32 for truth, the model's for reference and fused); weights
// carry their own. Strides are honoured for every dimension but the last, which must be dense; a
// kernel that needs more checks it and returns invalid_argument.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/tensor.h"

namespace lockstep {

enum class StepId : uint8_t { embed, qkv, attention, attn_output, gate_up, down, logits };
inline constexpr int step_count = 7;

enum class Axis : uint8_t { none, T, H, A, G, D, I, V, C, A_D, G_D, half_D, one };

enum class Role : uint8_t {
    weight,           // of the model
    optional_weight,  // of the model; undefined where the model has none (a bias)
    constant,         // tables and positions
    input,            // activations that an earlier step made
    output,           // activations that this step makes, every element of them; each is a tap
    state,            // the KV cache: rows [position, position + T) are written by qkv
    unfused_output,   // a tap on unfused paths; a fused step need not write it. May be undefined.
};

// Where a call stands. Kernels take the position from device memory (a captured graph replays for
// every token); `first_row` is the host's copy of it, for views, messages and CPU kernels' checks.
struct StepContext {
    int layer = -1;         // -1 for embed, num_hidden_layers for logits
    int64_t first_row = 0;  // position of row 0 = rows already in the cache
    Tensor position;        // i32 [1], device memory
};

template <class Args>
struct TensorField {
    std::string_view name;
    Role role;
    Tensor Args::*member;
    std::array<Axis, 3> axes;  // trailing ones `none`
};

// hidden[t] = embed_tokens[ids[t]]
struct EmbedArgs {
    StepContext context;
    Tensor ids;           // i32 [T], each in [0, V)
    Tensor embed_tokens;  // [V, H]
    Tensor hidden;        // out [T, H]
    static constexpr StepId id = StepId::embed;
    static std::span<const TensorField<EmbedArgs>> fields();
};

// normed = rms_norm(hidden) * input_layernorm;  q, k, v = normed * {q,k,v}_proj^T + bias;
// q and k are rotated (half-rotated RoPE, as transformers' apply_rotary_pos_emb); k and v are
// appended to the cache at rows [position, position + T).
struct QkvArgs {
    StepContext context;
    float rms_norm_eps = 0;
    Tensor hidden;           // in [T, H]
    Tensor input_layernorm;  // [H]
    Tensor q_proj;           // [A*D, H]
    Tensor k_proj;           // [G*D, H]
    Tensor v_proj;           // [G*D, H]
    Tensor q_bias;           // [A*D] or undefined
    Tensor k_bias;           // [G*D] or undefined
    Tensor v_bias;           // [G*D] or undefined
    Tensor rope_cos;         // f32 [C, D/2], of each position; scaling included
    Tensor rope_sin;         // f32 [C, D/2]
    Tensor q;                // out [T, A, D], after RoPE
    Tensor k_cache;          // state [C, G, D]; the tap k is its rows [position, position + T)
    Tensor v_cache;          // state [C, G, D]; the tap v likewise
    Tensor normed;           // unfused out [T, H]
    Tensor q_pre_rope;       // unfused out [T, A, D]
    Tensor k_pre_rope;       // unfused out [T, G, D]
    static constexpr StepId id = StepId::qkv;
    static std::span<const TensorField<QkvArgs>> fields();
};

// attn[t, a] = softmax(scale * q[t, a] . k_cache[0..position+t, g]) v_cache[.., g], g = a / (A/G)
struct AttentionArgs {
    StepContext context;
    float scale = 0;  // 1 / sqrt(D)
    Tensor q;         // in [T, A, D]
    Tensor k_cache;   // state [C, G, D], rows [0, position + T) are read
    Tensor v_cache;   // state [C, G, D]
    Tensor attn;      // out [T, A*D]
    static constexpr StepId id = StepId::attention;
    static std::span<const TensorField<AttentionArgs>> fields();
};

// hidden_attn = hidden + attn * o_proj^T
struct AttnOutputArgs {
    StepContext context;
    Tensor attn;         // in [T, A*D]
    Tensor o_proj;       // [H, A*D]
    Tensor hidden;       // in [T, H], the residual
    Tensor hidden_attn;  // out [T, H]; never the same memory as hidden
    static constexpr StepId id = StepId::attn_output;
    static std::span<const TensorField<AttnOutputArgs>> fields();
};

// normed = rms_norm(hidden_attn) * post_attention_layernorm
// mlp = silu(normed * gate_proj^T) * (normed * up_proj^T)
struct GateUpArgs {
    StepContext context;
    float rms_norm_eps = 0;
    Tensor hidden_attn;               // in [T, H]
    Tensor post_attention_layernorm;  // [H]
    Tensor gate_proj;                 // [I, H]
    Tensor up_proj;                   // [I, H]
    Tensor mlp;                       // out [T, I]
    Tensor normed;                    // unfused out [T, H]
    static constexpr StepId id = StepId::gate_up;
    static std::span<const TensorField<GateUpArgs>> fields();
};

// hidden = hidden_attn + mlp * down_proj^T
struct DownArgs {
    StepContext context;
    Tensor mlp;          // in [T, I]
    Tensor down_proj;    // [H, I]
    Tensor hidden_attn;  // in [T, H], the residual
    Tensor hidden;       // out [T, H]; never the same memory as hidden_attn
    static constexpr StepId id = StepId::down;
    static std::span<const TensorField<DownArgs>> fields();
};

// logits = (rms_norm(hidden) * norm) * lm_head^T, for the rows given (the caller passes the rows it
// wants). logits are stored in f32 on every path; the reference rounds them to the model's dtype
// first, as transformers does.
struct LogitsArgs {
    StepContext context;
    float rms_norm_eps = 0;
    Tensor hidden;   // in [T, H]
    Tensor norm;     // [H]
    Tensor lm_head;  // [V, H]
    Tensor logits;   // out f32 [T, V]
    Tensor normed;   // unfused out [T, H]
    static constexpr StepId id = StepId::logits;
    static std::span<const TensorField<LogitsArgs>> fields();
};

}  // namespace lockstep
