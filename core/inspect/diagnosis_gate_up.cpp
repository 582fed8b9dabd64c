// SPDX-License-Identifier: GPL-3.0-or-later
// Hypotheses of gate_up.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "core/inspect/diagnosis_hypothesis.h"
#include "core/inspect/diagnosis_maths.h"
#include "kernels/cpu/operands.h"

namespace lockstep {
namespace {

enum class Activation : uint8_t { silu, none, gelu_tanh, gelu_erf, sigmoid, relu };

double activated(Activation activation, double x) {
    switch (activation) {
        case Activation::silu:
            return x / (1 + std::exp(-x));
        case Activation::none:
            return x;
        case Activation::gelu_tanh: {
            const double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
            return x / 2 * (1 + std::tanh(inner));
        }
        case Activation::gelu_erf:
            return x / 2 * (1 + std::erf(x / std::numbers::sqrt2));
        case Activation::sigmoid:
            return 1 / (1 + std::exp(-x));
        case Activation::relu:
            return std::max(x, 0.0);
    }
    return x;
}

struct GateUpVariation {
    Norm norm = Norm::rms;
    std::optional<double> eps;
    Activation activation = Activation::silu;
    bool swapped = false;
    std::optional<Linear> gate, up;
    bool plain_products() const { return norm == Norm::rms && !eps && !gate && !up; }
};

FloatMatrix normed_rows(const DiagnosisCase& given, const GateUpVariation& variation,
                        const std::vector<int64_t>& rows) {
    const auto& args = given.args_as<GateUpArgs>();
    FloatMatrix normed(static_cast<int64_t>(rows.size()), args.hidden_attn.shape[1]);
    for (size_t r = 0; r < rows.size(); ++r)
        normalise(row_of<float>(args.hidden_attn, rows[r]), normed.columns, variation.norm,
                  variation.eps.value_or(args.rms_norm_eps), args.post_attention_layernorm,
                  normed.row(static_cast<int64_t>(r)));
    return normed;
}

struct Products {
    Matrix gate, up;
};

Products products(const DiagnosisCase& given, const GateUpVariation& variation,
                  const std::vector<int64_t>& rows) {
    const auto& args = given.args_as<GateUpArgs>();
    const FloatMatrix normed = normed_rows(given, variation, rows);
    const Linear gate(args.gate_proj, Tensor()), up(args.up_proj, Tensor());
    return {product(given.pool(), normed, variation.gate.value_or(gate)),
            product(given.pool(), normed, variation.up.value_or(up))};
}

// Kept for the rows that all hypotheses are first tried on.
Products shared_products(const DiagnosisCase& given, const GateUpVariation& variation,
                         const std::vector<int64_t>& rows) {
    if (!variation.plain_products()) return products(given, variation, rows);
    std::string name = "gate and up of rows";
    for (const int64_t row : rows) name += " " + std::to_string(row);
    return given.shared<Products>(name, [&] { return products(given, variation, rows); });
}

Prediction predict(const DiagnosisCase& given, const GateUpVariation& variation, const Part& part) {
    const Products made = shared_products(given, variation, part.rows);
    Prediction result;
    result.taps.emplace_back(made.gate.values.size());
    for (size_t i = 0; i < made.gate.values.size(); ++i) {
        const double gate = (variation.swapped ? made.up : made.gate).values[i];
        const double up = (variation.swapped ? made.gate : made.up).values[i];
        result.taps[0][i] = activated(variation.activation, gate) * up;
    }
    return result;
}

void add(const DiagnosisCase& given, Hypotheses& into, std::string cause, std::string words,
         GateUpVariation variation, int freedom = 0,
         std::map<std::string, std::string> parameters = {}) {
    into.push_back({std::move(cause), std::move(parameters), std::move(words), freedom,
                    [&given, variation = std::move(variation)](const Part& part) {
                        return predict(given, variation, part);
                    }});
}

void add_norms(const DiagnosisCase& given, Hypotheses& into) {
    const auto add_norm = [&](Norm norm, const char* cause, const char* words, int freedom = 0) {
        GateUpVariation variation;
        variation.norm = norm;
        add(given, into, cause, words, variation, freedom);
    };
    add_norm(Norm::missing, "post_norm_missing", "hidden_attn is projected without its norm");
    add_norm(Norm::weight_ignored, "post_norm_weight_ignored",
             "post_attention_layernorm's weight is ignored");
    add_norm(Norm::weight_plus_one, "post_norm_weight_plus_one",
             "post_attention_layernorm's weight is taken as 1 + weight");
    add_norm(Norm::layer_norm, "post_norm_is_layer_norm",
             "the row's mean is subtracted before it is normalised");
    add_norm(Norm::cast_before_weight, "",
             "the normalised row is cast to fp8 before it is multiplied by the weight", 1);
    add_norm(Norm::eps_outside_root, "", "rms_norm_eps is added outside the root", 1);
    GateUpVariation variation;
    variation.eps = 0.1;
    add(given, into, "", "rms_norm_eps is taken as 0.1", variation, 1);
}

void add_activations(const DiagnosisCase& given, Hypotheses& into) {
    const auto add_one = [&](Activation activation, const char* cause, const char* words,
                             int freedom = 0, std::map<std::string, std::string> parameters = {}) {
        GateUpVariation variation;
        variation.activation = activation;
        add(given, into, cause, words, variation, freedom, std::move(parameters));
    };
    add_one(Activation::none, "silu_missing", "gate * up without an activation");
    add_one(Activation::gelu_tanh, "gelu_for_silu", "gelu (tanh) stands for silu", 0,
            {{"approximation", "tanh"}});
    add_one(Activation::gelu_erf, "gelu_for_silu", "gelu (erf) stands for silu", 1,
            {{"approximation", "none"}});
    add_one(Activation::sigmoid, "sigmoid_for_silu", "sigmoid stands for silu");
    add_one(Activation::relu, "", "relu stands for silu", 1);
    GateUpVariation swapped;
    swapped.swapped = true;
    add(given, into, "gate_up_swapped", "silu is applied to up instead of gate", swapped);
}

void add_weights(const DiagnosisCase& given, Hypotheses& into) {
    const auto& args = given.args_as<GateUpArgs>();
    for (const DiagnosisCase::Neighbour& other : given.neighbours()) {
        GateUpVariation variation;
        variation.gate = Linear(other.weights.gate_proj, Tensor());
        add(given, into, "gate_proj_of_neighbouring_layer", "gate_proj is that of " + other.name(),
            variation, other.freedom, other.parameters());
        variation.gate.reset();
        variation.up = Linear(other.weights.up_proj, Tensor());
        add(given, into, "", "up_proj is that of " + other.name(), variation, 1);
    }
    for (const bool gate : {true, false}) {
        Linear transposed(gate ? args.gate_proj : args.up_proj, Tensor());
        if (!transposed.weights[0].contiguous()) continue;
        transposed.transposed = true;
        GateUpVariation variation;
        (gate ? variation.gate : variation.up) = transposed;
        add(given, into, "",
            std::string(gate ? "gate_proj" : "up_proj") + "'s memory is read as [in, out]",
            variation, 1);
    }
}

}  // namespace

Hypotheses gate_up_hypotheses(const DiagnosisCase& given) {
    Hypotheses all;
    add_norms(given, all);
    add_activations(given, all);
    add_weights(given, all);
    add_output_hypotheses(given, "mlp", {"mlp_tail_columns_skipped", "", ""}, all);
    return all;
}

}  // namespace lockstep
