// SPDX-License-Identifier: GPL-3.0-or-later
// Hypotheses of embed and logits.
#include <algorithm>
#include <cmath>
#include <optional>

#include "core/inspect/diagnosis_hypothesis.h"
#include "core/inspect/diagnosis_maths.h"
#include "kernels/cpu/operands.h"
#include "kernels/cpu/rounding.h"

namespace lockstep {
namespace {

Prediction predict_rows(const DiagnosisCase& given, int64_t shift, int64_t row_shift,
                        const Part& part) {
    const auto& args = given.args_as<EmbedArgs>();
    const Tensor& table = args.embed_tokens;
    FloatMatrix rows(static_cast<int64_t>(part.rows.size()), table.shape[1]);
    for (int64_t r = 0; r < rows.rows; ++r) {
        const int64_t t = std::clamp<int64_t>(part.rows[static_cast<size_t>(r)] + row_shift, 0,
                                              args.ids.shape[0] - 1);
        const int64_t id = args.ids.as<int32_t>()[t];
        const int64_t other = id + shift;
        const bool there = other >= 0 && other < table.shape[0];
        widen(row_bytes_of(table, there ? other : id), table.dtype, rows.columns, rows.row(r));
    }
    Prediction made;
    made.taps.emplace_back(rows.values.begin(), rows.values.end());
    return made;
}

// The norm and the head, varied.
struct LogitsVariation {
    Norm norm = Norm::rms;
    std::optional<double> eps;
    std::optional<Linear> head;
    double scale = 1;
};

Prediction predict_logits(const DiagnosisCase& given, const LogitsVariation& variation,
                          const Part& part) {
    const auto& args = given.args_as<LogitsArgs>();
    FloatMatrix normed(static_cast<int64_t>(part.rows.size()), args.hidden.shape[1]);
    for (int64_t r = 0; r < normed.rows; ++r)
        normalise(row_of<float>(args.hidden, part.rows[static_cast<size_t>(r)]), normed.columns,
                  variation.norm, variation.eps.value_or(args.rms_norm_eps), args.norm,
                  normed.row(r));
    const Linear head = variation.head.value_or(Linear(args.lm_head, Tensor()));
    Prediction made;
    made.taps.push_back(product(given.pool(), normed, head, part.columns).values);
    return made;
}

void add(const DiagnosisCase& given, Hypotheses& into, std::string cause, std::string words,
         LogitsVariation variation, int freedom = 0,
         std::map<std::string, std::string> parameters = {}) {
    into.push_back({std::move(cause), std::move(parameters), std::move(words), freedom,
                    [&given, variation = std::move(variation)](const Part& part) {
                        return predict_logits(given, variation, part);
                    }});
}

}  // namespace

Hypotheses embed_hypotheses(const DiagnosisCase& given) {
    Hypotheses all;
    for (const int64_t shift : {1, -1}) {
        all.push_back(
            {"embed_row_shifted",
             {{"offset", std::to_string(shift)}},
             std::string("the row of token id ") + (shift > 0 ? "+ 1" : "- 1") + " is looked up",
             shift > 0 ? 0 : 1,
             [&given, shift](const Part& part) { return predict_rows(given, shift, 0, part); }});
        if (given.rows() < 2) continue;
        all.push_back(
            {"",
             {},
             std::string("row t is that of the token ") + (shift > 0 ? "after" : "before"),
             1,
             [&given, shift](const Part& part) { return predict_rows(given, 0, shift, part); }});
    }
    const auto hidden_size = static_cast<double>(given.args_as<EmbedArgs>().hidden.shape[1]);
    add_output_hypotheses(
        given, "hidden", {"embed_tail_columns_skipped", "", "embed_scaled", std::sqrt(hidden_size)},
        all);
    return all;
}

Hypotheses logits_hypotheses(const DiagnosisCase& given) {
    const auto& args = given.args_as<LogitsArgs>();
    Hypotheses all;
    LogitsVariation variation;
    variation.norm = Norm::missing;
    add(given, all, "final_norm_missing", "hidden is projected without its norm", variation);
    variation.norm = Norm::weight_ignored;
    add(given, all, "final_norm_weight_ignored", "norm's weight is ignored", variation);
    variation.norm = Norm::weight_plus_one;
    add(given, all, "", "norm's weight is taken as 1 + weight", variation, 1);
    variation.norm = Norm::layer_norm;
    add(given, all, "", "the row's mean is subtracted before it is normalised", variation, 1);
    for (const int64_t shift : {1, -1}) {
        variation = {};
        variation.head = Linear(args.lm_head, Tensor());
        variation.head->shift = shift;
        add(given, all, "wrong_head",
            std::string("lm_head's row n is taken from row n ") + (shift > 0 ? "+ 1" : "- 1"),
            variation, shift > 0 ? 0 : 1, {{"offset", std::to_string(shift)}});
    }
    const Tensor& embed_tokens = given.model()->weights.embed_tokens;
    if (!given.model()->config.tie_word_embeddings && embed_tokens.data != args.lm_head.data) {
        variation = {};
        variation.head = Linear(embed_tokens, Tensor());
        add(given, all, "lm_head_is_embed_tokens", "the head is embed_tokens", variation);
    }
    add_output_hypotheses(given, "logits", {"logits_tail_columns_skipped", "", ""}, all);
    return all;
}

}  // namespace lockstep
