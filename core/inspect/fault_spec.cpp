// SPDX-License-Identifier: GPL-3.0-or-later
// A fault as it is written on the command line, and where it may stand.
#include <charconv>
#include <functional>

#include "core/inspect/fault.h"
#include "kernels/step_catalog.h"

namespace lockstep {
namespace {

std::string known_faults() {
    std::string names;
    for (const FaultInfo& fault : fault_catalog())
        names += (names.empty() ? "" : ", ") + std::string(fault.name);
    return names;
}

tl::unexpected<Error> refuse(std::string message) {
    return fail(ErrorKind::invalid_argument, std::move(message));
}

bool outside_layers(StepId step) {
    return step == StepId::embed || step == StepId::logits;
}

int only_layer(StepId step, int num_hidden_layers) {
    return step == StepId::embed ? -1 : num_hidden_layers;
}

Result<int> parse_layer(std::string_view text) {
    int layer = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, layer);
    if (error == std::errc() && stop == end && !text.empty()) return layer;
    return refuse("a fault's layer is a whole number, not \"" + std::string(text) + "\"");
}

Status check_layer(const FaultInfo& fault, int layer, int num_hidden_layers) {
    const std::string name(fault.name);
    const std::string step(step_name(fault.step));
    if (outside_layers(fault.step)) {
        const int only = only_layer(fault.step, num_hidden_layers);
        if (layer == only) return {};
        return refuse(name + " is a fault of " + step + ", which is layer " + std::to_string(only) +
                      ", not " + std::to_string(layer));
    }
    if (layer >= 0 && layer < num_hidden_layers) return {};
    return refuse(name + "@layer=" + std::to_string(layer) + ": the model's layers are 0 to " +
                  std::to_string(num_hidden_layers - 1));
}

Status check_step_name(const FaultInfo& fault, std::string_view text) {
    const std::optional<StepId> step = step_from_name(text);
    if (!step) {
        return refuse("there is no step \"" + std::string(text) + "\"; " + std::string(fault.name) +
                      " is a fault of " + std::string(step_name(fault.step)));
    }
    if (*step == fault.step) return {};
    return refuse(std::string(fault.name) + " is a fault of " + std::string(step_name(fault.step)) +
                  ", not of " + std::string(text));
}

// "layer=N,step=S" in any order.
Status parse_place(std::string_view text, const FaultInfo& fault, std::optional<int>& layer) {
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), part.size() + 1));
        if (part.starts_with("layer=")) {
            LOCKSTEP_ASSIGN(layer, parse_layer(part.substr(6)));
        } else if (part.starts_with("step=")) {
            LOCKSTEP_TRY(check_step_name(fault, part.substr(5)));
        } else {
            return refuse("\"" + std::string(part) +
                          "\" does not say where a fault is; it is written FAULT@layer=N[,step=S]");
        }
    }
    return {};
}

}  // namespace

Result<FaultSpec> parse_fault(std::string_view text, int num_hidden_layers) {
    const size_t at = text.find('@');
    const std::string name(text.substr(0, at));
    const FaultInfo* const fault = find_fault(name);
    if (!fault)
        return refuse("there is no fault \"" + name + "\"; the known ones are " + known_faults());
    std::optional<int> layer;
    if (at != text.npos) LOCKSTEP_TRY(parse_place(text.substr(at + 1), *fault, layer));
    if (!layer && !outside_layers(fault->step))
        return refuse("where is " + name + "? It is written " + name + "@layer=N");
    FaultSpec spec{name, layer.value_or(only_layer(fault->step, num_hidden_layers))};
    LOCKSTEP_TRY(check_layer(*fault, spec.layer, num_hidden_layers));
    return spec;
}

std::string fault_text(const FaultSpec& fault) {
    const FaultInfo* const known = find_fault(fault.name);
    if (known && outside_layers(known->step)) return fault.name;
    return fault.name + "@layer=" + std::to_string(fault.layer);
}

std::string fault_without_effect(const FaultInfo& fault, const ModelConfig& config) {
    struct Rule {
        std::string_view ending;  // of the names it is about
        bool without_effect;
        std::string_view why;
    };
    const bool one_kv_head = config.num_key_value_heads == 1;
    const bool unscaled =
        config.rope_scaling.type == RopeScaling::Type::none && config.rope_freq_factors.empty();
    const Rule rules[] = {
        {"_bias_dropped", !config.qkv_bias, "the model has no bias"},
        {"_of_neighbouring_layer", config.num_hidden_layers == 1, "the model has one layer"},
        {"rope_scaling_ignored", unscaled, "the model has no rope_scaling"},
        {"hidden_stride_ignored", config.hidden_size <= 8, "hidden_size is 8 or less"},
        {"grouped_head_map_wrong", one_kv_head, "the model has one key head"},
        {"grouped_head_map_wrong", config.num_key_value_heads == config.num_attention_heads,
         "every head has a key head of its own"},
        {"cache_layout_wrong", one_kv_head, "the model has one key head"},
        {"attn_heads_transposed", config.num_attention_heads == 1, "the model has one head"},
        {"lm_head_is_embed_tokens", config.tie_word_embeddings, "the model's head is embed_tokens"},
    };
    for (const Rule& rule : rules) {
        if (rule.without_effect && fault.name.ends_with(rule.ending)) return std::string(rule.why);
    }
    return {};
}

}  // namespace lockstep
