// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/steps.h"

namespace lockstep {
namespace {
constexpr std::array<Axis, 3> axes(Axis a, Axis b = Axis::none, Axis c = Axis::none) {
    return {a, b, c};
}
}  // namespace

std::span<const TensorField<EmbedArgs>> EmbedArgs::fields() {
    using A = EmbedArgs;
    static constexpr std::array<TensorField<A>, 3> table{{
        {"ids", Role::constant, &A::ids, axes(Axis::T)},
        {"embed_tokens", Role::weight, &A::embed_tokens, axes(Axis::V, Axis::H)},
        {"hidden", Role::output, &A::hidden, axes(Axis::T, Axis::H)},
    }};
    return table;
}

std::span<const TensorField<QkvArgs>> QkvArgs::fields() {
    using A = QkvArgs;
    static constexpr std::array<TensorField<A>, 16> table{{
        {"hidden", Role::input, &A::hidden, axes(Axis::T, Axis::H)},
        {"input_layernorm", Role::weight, &A::input_layernorm, axes(Axis::H)},
        {"q_proj", Role::weight, &A::q_proj, axes(Axis::A_D, Axis::H)},
        {"k_proj", Role::weight, &A::k_proj, axes(Axis::G_D, Axis::H)},
        {"v_proj", Role::weight, &A::v_proj, axes(Axis::G_D, Axis::H)},
        {"q_bias", Role::optional_weight, &A::q_bias, axes(Axis::A_D)},
        {"k_bias", Role::optional_weight, &A::k_bias, axes(Axis::G_D)},
        {"v_bias", Role::optional_weight, &A::v_bias, axes(Axis::G_D)},
        {"rope_cos", Role::constant, &A::rope_cos, axes(Axis::C, Axis::half_D)},
        {"rope_sin", Role::constant, &A::rope_sin, axes(Axis::C, Axis::half_D)},
        {"q", Role::output, &A::q, axes(Axis::T, Axis::A, Axis::D)},
        {"k_cache", Role::state, &A::k_cache, axes(Axis::C, Axis::G, Axis::D)},
        {"v_cache", Role::state, &A::v_cache, axes(Axis::C, Axis::G, Axis::D)},
        {"normed", Role::unfused_output, &A::normed, axes(Axis::T, Axis::H)},
        {"q_pre_rope", Role::unfused_output, &A::q_pre_rope, axes(Axis::T, Axis::A, Axis::D)},
        {"k_pre_rope", Role::unfused_output, &A::k_pre_rope, axes(Axis::T, Axis::G, Axis::D)},
    }};
    return table;
}

std::span<const TensorField<AttentionArgs>> AttentionArgs::fields() {
    using A = AttentionArgs;
    static constexpr std::array<TensorField<A>, 4> table{{
        {"q", Role::input, &A::q, axes(Axis::T, Axis::A, Axis::D)},
        {"k_cache", Role::state, &A::k_cache, axes(Axis::C, Axis::G, Axis::D)},
        {"v_cache", Role::state, &A::v_cache, axes(Axis::C, Axis::G, Axis::D)},
        {"attn", Role::output, &A::attn, axes(Axis::T, Axis::A_D)},
    }};
    return table;
}

std::span<const TensorField<AttnOutputArgs>> AttnOutputArgs::fields() {
    using A = AttnOutputArgs;
    static constexpr std::array<TensorField<A>, 4> table{{
        {"attn", Role::input, &A::attn, axes(Axis::T, Axis::A_D)},
        {"o_proj", Role::weight, &A::o_proj, axes(Axis::H, Axis::A_D)},
        {"hidden", Role::input, &A::hidden, axes(Axis::T, Axis::H)},
        {"hidden_attn", Role::output, &A::hidden_attn, axes(Axis::T, Axis::H)},
    }};
    return table;
}

std::span<const TensorField<GateUpArgs>> GateUpArgs::fields() {
    using A = GateUpArgs;
    static constexpr std::array<TensorField<A>, 6> table{{
        {"hidden_attn", Role::input, &A::hidden_attn, axes(Axis::T, Axis::H)},
        {"post_attention_layernorm", Role::weight, &A::post_attention_layernorm, axes(Axis::H)},
        {"gate_proj", Role::weight, &A::gate_proj, axes(Axis::I, Axis::H)},
        {"up_proj", Role::weight, &A::up_proj, axes(Axis::I, Axis::H)},
        {"mlp", Role::output, &A::mlp, axes(Axis::T, Axis::I)},
        {"normed", Role::unfused_output, &A::normed, axes(Axis::T, Axis::H)},
    }};
    return table;
}

std::span<const TensorField<DownArgs>> DownArgs::fields() {
    using A = DownArgs;
    static constexpr std::array<TensorField<A>, 4> table{{
        {"mlp", Role::input, &A::mlp, axes(Axis::T, Axis::I)},
        {"down_proj", Role::weight, &A::down_proj, axes(Axis::H, Axis::I)},
        {"hidden_attn", Role::input, &A::hidden_attn, axes(Axis::T, Axis::H)},
        {"hidden", Role::output, &A::hidden, axes(Axis::T, Axis::H)},
    }};
    return table;
}

std::span<const TensorField<LogitsArgs>> LogitsArgs::fields() {
    using A = LogitsArgs;
    static constexpr std::array<TensorField<A>, 5> table{{
        {"hidden", Role::input, &A::hidden, axes(Axis::T, Axis::H)},
        {"norm", Role::weight, &A::norm, axes(Axis::H)},
        {"lm_head", Role::weight, &A::lm_head, axes(Axis::V, Axis::H)},
        {"logits", Role::output, &A::logits, axes(Axis::T, Axis::V)},
        {"normed", Role::unfused_output, &A::normed, axes(Axis::T, Axis::H)},
    }};
    return table;
}

}  // namespace lockstep
