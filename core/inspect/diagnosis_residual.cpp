// SPDX-License-Identifier: GPL-3.0-or-later
// Hypotheses of attn_output and down: both are a projection and a residual.
#include <algorithm>
#include <cmath>
#include <optional>

#include "core/inspect/diagnosis_hypothesis.h"
#include "core/inspect/diagnosis_maths.h"
#include "kernels/cpu/operands.h"

namespace lockstep {
namespace {

// What of the two steps differs.
struct ResidualStep {
    Tensor input, weight, residual;
    std::string weight_name;
    Tensor LayerWeights::*of_layer = nullptr;
};

ResidualStep step_of(const DiagnosisCase& given) {
    if (given.step() == StepId::down) {
        const auto& args = given.args_as<DownArgs>();
        return {args.mlp, args.down_proj, args.hidden_attn, "down_proj", &LayerWeights::down_proj};
    }
    const auto& args = given.args_as<AttnOutputArgs>();
    return {args.attn, args.o_proj, args.hidden, "o_proj", &LayerWeights::o_proj};
}

FloatMatrix rows_of(const Tensor& tensor, const std::vector<int64_t>& rows, int64_t shift = 0) {
    FloatMatrix some(static_cast<int64_t>(rows.size()), tensor.shape[1]);
    for (size_t r = 0; r < rows.size(); ++r) {
        const int64_t row = std::clamp<int64_t>(rows[r] + shift, 0, tensor.shape[0] - 1);
        std::copy_n(row_of<float>(tensor, row), some.columns, some.row(static_cast<int64_t>(r)));
    }
    return some;
}

struct ResidualVariation {
    std::optional<Linear> linear;
    double residual = 1, projection = 1;  // factors
    int64_t row_shift = 0;                // of the input
};

Prediction predict(const DiagnosisCase& given, const ResidualVariation& variation,
                   const Part& part) {
    const ResidualStep step = step_of(given);
    const Linear linear = variation.linear.value_or(Linear(step.weight, Tensor()));
    Matrix out = product(given.pool(), rows_of(step.input, part.rows, variation.row_shift), linear);
    for (int64_t r = 0; r < out.rows; ++r) {
        const float* const residual =
            row_of<float>(step.residual, part.rows[static_cast<size_t>(r)]);
        for (int64_t c = 0; c < out.columns; ++c)
            out.row(r)[c] = variation.projection * out.row(r)[c] +
                            variation.residual * static_cast<double>(residual[c]);
    }
    Prediction made;
    made.flips = linear.sum.rounding != Sum::Rounding::none;
    made.taps.push_back(std::move(out.values));
    return made;
}

void add(const DiagnosisCase& given, Hypotheses& into, std::string cause, std::string words,
         ResidualVariation variation, int freedom = 0,
         std::map<std::string, std::string> parameters = {}) {
    into.push_back({std::move(cause), std::move(parameters), std::move(words), freedom,
                    [&given, variation = std::move(variation)](const Part& part) {
                        return predict(given, variation, part);
                    }});
}

void add_weights(const DiagnosisCase& given, const std::string& transposed,
                 const std::string& neighbour, Hypotheses& into) {
    const ResidualStep step = step_of(given);
    ResidualVariation variation;
    if (step.weight.contiguous()) {
        variation.linear = Linear(step.weight, Tensor());
        variation.linear->transposed = true;
        add(given, into, transposed, step.weight_name + "'s memory is read as [in, out]",
            variation);
    }
    for (const DiagnosisCase::Neighbour& other : given.neighbours()) {
        variation.linear = Linear(other.weights.*step.of_layer, Tensor());
        add(given, into, neighbour, step.weight_name + " is that of " + other.name(), variation,
            other.freedom, other.parameters());
    }
}

void add_residuals(const DiagnosisCase& given, const std::string& missing,
                   const std::string& doubled, Hypotheses& into) {
    ResidualVariation variation;
    variation.residual = 0;
    add(given, into, missing, "the residual is not added", variation);
    variation.residual = 2;
    add(given, into, doubled, "the residual is added twice", variation);
    variation.residual = 1;
    variation.projection = 0;
    add(given, into, "", "the projection is not added", variation, 1);
    variation.projection = 2;
    add(given, into, "", "the projection is added twice", variation, 1);
    for (const int64_t shift : {-1, 1}) {
        if (given.rows() < 2) break;
        variation = {};
        variation.row_shift = shift;
        add(given, into, "",
            std::string("row t is projected from row t ") + (shift < 0 ? "- 1" : "+ 1"), variation,
            1);
    }
}

// Sums that are rounded on the way. of_all: the catalogue's choice, in products.
void add_sums(const DiagnosisCase& given, Sum::Rounding rounding, int64_t usual,
              const std::string& cause, Hypotheses& into) {
    const ResidualStep step = step_of(given);
    const int64_t whole = step.input.shape[1];
    for (const int64_t every : {int64_t{1}, int64_t{2}, int64_t{4}, int64_t{8}, int64_t{16},
                                int64_t{32}, int64_t{64}, whole}) {
        ResidualVariation variation;
        variation.linear = Linear(step.weight, Tensor());
        variation.linear->sum = {rounding, DType::bf16, every};
        // One rounding to nearest at the end is what any path does.
        if (every == whole && rounding == Sum::Rounding::nearest) continue;
        std::string words = "the projection's sum is ";
        words +=
            rounding == Sum::Rounding::nearest ? "rounded to bf16 " : "cast to bf16 towards zero ";
        words += every == whole ? "once, at its end"
                 : every == 1   ? "after every product"
                                : "after every " + std::to_string(every) + " inputs";
        add(given, into, cause, words, variation, every == usual ? 0 : 1,
            {{"every", std::to_string(every)}});
    }
}

}  // namespace

Hypotheses attn_output_hypotheses(const DiagnosisCase& given) {
    Hypotheses all;
    add_weights(given, "o_proj_transposed", "o_proj_of_neighbouring_layer", all);
    add_residuals(given, "attn_residual_missing", "attn_residual_doubled", all);
    add_output_hypotheses(given, "hidden_attn", {"attn_output_tail_columns_skipped", "", ""}, all);
    add_sums(given, Sum::Rounding::towards_zero, 8, "attn_output_truncating_cast", all);
    add_sums(given, Sum::Rounding::nearest, 1, "", all);
    return all;
}

Hypotheses down_hypotheses(const DiagnosisCase& given) {
    Hypotheses all;
    add_weights(given, "down_proj_transposed", "", all);
    add_residuals(given, "mlp_residual_missing", "mlp_residual_doubled", all);
    add_output_hypotheses(given, "hidden",
                          {"", "down_tail_rows_skipped", "down_output_scaled", 1.0625}, all);
    add_sums(given, Sum::Rounding::towards_zero, 8, "down_truncating_cast", all);
    add_sums(given, Sum::Rounding::nearest, 1, "down_low_precision_accumulation", all);
    return all;
}

}  // namespace lockstep
