// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/trace_format.h"

#include <charconv>

namespace lockstep {
namespace {

struct TapName {
    std::string_view in_file;
    std::string_view tap;
    StepId step;
    Axis axes[2];  // after the rows
};

// Of a layer; those of embed and logits stand in their own functions.
constexpr TapName layer_taps[] = {
    {"normed", "normed", StepId::qkv, {Axis::H, Axis::none}},
    {"q_pre_rope", "q_pre_rope", StepId::qkv, {Axis::A, Axis::D}},
    {"k_pre_rope", "k_pre_rope", StepId::qkv, {Axis::G, Axis::D}},
    {"q", "q", StepId::qkv, {Axis::A, Axis::D}},
    {"k", "k", StepId::qkv, {Axis::G, Axis::D}},
    {"v", "v", StepId::qkv, {Axis::G, Axis::D}},
    {"attn", "attn", StepId::attention, {Axis::A_D, Axis::none}},
    {"hidden_attn", "hidden_attn", StepId::attn_output, {Axis::H, Axis::none}},
    {"normed_attn", "normed", StepId::gate_up, {Axis::H, Axis::none}},
    {"mlp", "mlp", StepId::gate_up, {Axis::I, Axis::none}},
    {"hidden", "hidden", StepId::down, {Axis::H, Axis::none}},
};
constexpr TapName embed_hidden{"embed.hidden", "hidden", StepId::embed, {Axis::H, Axis::none}};
constexpr TapName model_taps[] = {
    embed_hidden,
    {"normed", "normed", StepId::logits, {Axis::H, Axis::none}},
    {"logits", "logits", StepId::logits, {Axis::V, Axis::none}},
};

bool in_layer(StepId step) {
    return step != StepId::embed && step != StepId::logits;
}

const TapName* find(StepId step, std::string_view tap) {
    for (const TapName& each : layer_taps) {
        if (each.step == step && each.tap == tap) return &each;
    }
    for (const TapName& each : model_taps) {
        if (each.step == step && each.tap == tap) return &each;
    }
    return nullptr;
}

// "12." at the front of the text, taken off it. No leading zeros, so that a name has one spelling.
std::optional<int> take_number(std::string_view& text) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto length = static_cast<size_t>(end - text.data());
    const bool one_spelling = length == 1 || (length > 1 && text.front() != '0');
    if (error != std::errc() || number < 0 || !one_spelling || length >= text.size() ||
        text[length] != '.')
        return std::nullopt;
    text.remove_prefix(length + 1);
    return number;
}

bool take_word(std::string_view& text, std::string_view word) {
    if (!text.starts_with(word)) return false;
    text.remove_prefix(word.size());
    return true;
}

}  // namespace

std::string trace_name(int pass, int layer, StepId step, std::string_view tap) {
    const TapName* const known = find(step, tap);
    std::string name = "pass." + std::to_string(pass) + '.';
    if (in_layer(step)) name += "layers." + std::to_string(layer) + '.';
    return name += known ? known->in_file : tap;
}

std::optional<TracePlace> parse_trace_name(std::string_view name) {
    if (!take_word(name, "pass.")) return std::nullopt;
    const auto pass = take_number(name);
    if (!pass) return std::nullopt;
    if (!take_word(name, "layers.")) {
        for (const TapName& each : model_taps) {
            if (each.in_file != name) continue;
            const int layer = each.step == StepId::embed ? -1 : trace_logits;
            return TracePlace{*pass, layer, each.step, std::string(each.tap)};
        }
        return std::nullopt;
    }
    const auto layer = take_number(name);
    if (!layer) return std::nullopt;
    for (const TapName& each : layer_taps) {
        if (each.in_file == name)
            return TracePlace{*pass, *layer, each.step, std::string(each.tap)};
    }
    return std::nullopt;
}

std::vector<int64_t> trace_shape(const TracePlace& place, const ModelConfig& config, int64_t rows) {
    StepShape sizes;
    sizes.hidden_size = config.hidden_size;
    sizes.num_attention_heads = config.num_attention_heads;
    sizes.num_key_value_heads = config.num_key_value_heads;
    sizes.head_dim = config.head_dim;
    sizes.intermediate_size = config.intermediate_size;
    sizes.vocab_size = config.vocab_size;
    std::vector<int64_t> shape{rows};
    const TapName* const known = find(place.step, place.tap);
    for (const Axis axis : known->axes) {
        if (axis != Axis::none) shape.push_back(sizes.size(axis));
    }
    return shape;
}

std::string_view trace_dtype_name(DType dtype) {
    return dtype == DType::f32 ? "fp32" : dtype == DType::f16 ? "fp16" : "bf16";
}

std::optional<DType> parse_trace_dtype(std::string_view name) {
    take_word(name, "torch.");
    if (name == "bf16" || name == "bfloat16") return DType::bf16;
    if (name == "fp16" || name == "f16" || name == "float16") return DType::f16;
    if (name == "fp32" || name == "f32" || name == "float32") return DType::f32;
    return std::nullopt;
}

}  // namespace lockstep
