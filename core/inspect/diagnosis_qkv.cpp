// SPDX-License-Identifier: GPL-3.0-or-later
// Hypotheses of qkv: norm, weights, where outputs go. RoPE and rows have files of their own.
#include "core/inspect/diagnosis_qkv.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/inspect/diagnosis_score.h"

namespace lockstep {
namespace {

constexpr std::array<const char*, 3> letters{"q", "k", "v"};

void add_biases(const DiagnosisCase& given, Hypotheses& into) {
    const auto& args = given.args_as<QkvArgs>();
    for (size_t which = 0; which < 3; ++which) {
        const Linear plain = qkv_linear(args, static_cast<int>(which));
        if (!plain.biases[0].defined()) continue;
        QkvVariation variation;
        variation.linear[which] = Linear(plain.weights[0], Tensor());
        const std::string letter = letters[which];
        add_qkv(given, into, letter + "_bias_dropped", letter + "'s bias is dropped", variation);
    }
}

void add_weights(const DiagnosisCase& given, Hypotheses& into) {
    const auto& args = given.args_as<QkvArgs>();
    for (size_t which = 0; which < 3; ++which) {
        Linear linear = qkv_linear(args, static_cast<int>(which));
        const std::string letter = letters[which];
        if (linear.weights[0].contiguous()) {
            QkvVariation variation;
            variation.linear[which] = linear;
            variation.linear[which]->transposed = true;
            add_qkv(given, into, letter + "_proj_transposed",
                    letter + "_proj's memory is read as [in, out]", variation);
        }
        for (const DiagnosisCase::Neighbour& other : given.neighbours()) {
            QkvVariation variation;
            variation.linear[which] = linear;
            variation.linear[which]->weights[0] = which == 0   ? other.weights.q_proj
                                                  : which == 1 ? other.weights.k_proj
                                                               : other.weights.v_proj;
            const std::string cause = which == 2 ? "" : letter + "_proj_of_neighbouring_layer";
            add_qkv(given, into, cause, letter + "_proj is that of " + other.name(), variation,
                    other.freedom, other.parameters());
        }
    }
}

// The packed rows of [q; k; v], cut in another order.
void add_packing(const DiagnosisCase& given, Hypotheses& into) {
    const auto& args = given.args_as<QkvArgs>();
    Linear packed;
    packed.weights = {args.q_proj, args.k_proj, args.v_proj};
    packed.biases = {args.q_bias, args.k_bias, args.v_bias};
    const int64_t q_rows = args.q_proj.shape[0];
    const std::array<int64_t, 3> own_first{0, q_rows, q_rows + args.k_proj.shape[0]};
    constexpr std::array<std::array<size_t, 3>, 5> orders{
        {{1, 2, 0}, {0, 2, 1}, {1, 0, 2}, {2, 0, 1}, {2, 1, 0}}};
    for (size_t order = 0; order < orders.size(); ++order) {
        QkvVariation variation;
        int64_t first = 0;
        std::string text;
        for (const size_t which : orders[order]) {
            Linear piece = packed;
            piece.first = first;
            piece.rows = qkv_linear(args, static_cast<int>(which)).rows;
            first += piece.rows;
            if (piece.first != own_first[which]) variation.linear[which] = piece;
            text += (text.empty() ? "" : ", ") + std::string(letters[which]);
        }
        add_qkv(given, into, "qkv_packing_order",
                "the packed rows of q_proj, k_proj and v_proj are taken in the order " + text,
                variation, order == 0 ? 0 : 1, {{"order", text}});
    }
}

// One factor per row on what is projected, where a wrong eps would leave it: fitted to the data.
struct RowFactors {
    std::vector<double> factor;  // of the normalised row
    std::vector<double> weight;  // inverse variance
};

RowFactors fitted_row_factors(const DiagnosisCase& given, const Part& part) {
    // Without their biases the outputs are linear in the normalised row: with and without half of
    // it, the difference is that part.
    QkvVariation half;
    half.normed_scale = 0.5;
    const Prediction at_half = predict_qkv(given, half, part);
    RowFactors fitted;
    for (size_t r = 0; r < part.rows.size(); ++r) {
        double along = 0, squares = 0;
        for (size_t t = 0; t < given.taps().size(); ++t) {
            const TapValues& tap = given.taps()[t];
            for (int64_t c = 0; c < tap.columns(); ++c) {
                const auto i = static_cast<size_t>(part.rows[r] * tap.columns() + c);
                const size_t own = r * static_cast<size_t>(tap.columns()) + static_cast<size_t>(c);
                const double linear = 2 * (tap.truth[i] - at_half.taps[t][own]);
                const double error = static_cast<double>(tap.candidate[i]) - tap.truth[i];
                if (!std::isfinite(error) || !std::isfinite(linear)) continue;
                const double size = std::max(
                    std::hypot(static_cast<double>(tap.noise[i]), given.rounding() * tap.truth[i]),
                    1e-30);
                along += error * linear / (size * size);
                squares += linear * linear / (size * size);
            }
        }
        fitted.factor.push_back(squares > 0 ? 1 + along / squares : 1);
        fitted.weight.push_back(squares);
    }
    return fitted;
}

double mean_square(const float* x, int64_t columns) {
    double squares = 0;
    for (int64_t i = 0; i < columns; ++i) squares += static_cast<double>(x[i]) * x[i];
    return squares / static_cast<double>(columns);
}

void add_eps(const DiagnosisCase& given, Hypotheses& into) {
    QkvVariation variation;
    variation.eps = 0.1;
    add_qkv(given, into, "input_norm_eps_wrong", "rms_norm_eps is taken as 0.1", variation, 0,
            {{"eps", "0.1"}});
    const auto& args = given.args_as<QkvArgs>();
    const Part part = given.sample(8);
    const RowFactors fitted = fitted_row_factors(given, part);
    // factor^2 = (mean + eps) / (mean + wrong eps): the least squares of the factors, by halving.
    const auto misfit = [&](double log_eps) {
        const double eps = std::pow(10, log_eps);
        double sum = 0;
        for (size_t r = 0; r < part.rows.size(); ++r) {
            const double mean =
                mean_square(args.hidden.as<float>() + part.rows[r] * args.hidden.stride[0],
                            args.hidden.shape[1]);
            const double factor = std::sqrt((mean + args.rms_norm_eps) / (mean + eps));
            sum += fitted.weight[r] * (factor - fitted.factor[r]) * (factor - fitted.factor[r]);
        }
        return sum;
    };
    const double best = least_on_grid(-16, 6, 0.05, misfit);
    variation.eps = std::pow(10, least_near(best, 0.05, 1e-9, 1, misfit));
    const std::string text = number_text(*variation.eps);
    add_qkv(given, into, "input_norm_eps_wrong", "rms_norm_eps is taken as " + text, variation, 2,
            {{"eps", text}});
    // The same for a row or two, and another thing: the normalised row is a multiple of what it
    // should be.
    double along = 0, weights = 0;
    for (size_t r = 0; r < part.rows.size(); ++r) {
        along += fitted.weight[r] * fitted.factor[r];
        weights += fitted.weight[r];
    }
    QkvVariation scaled;
    scaled.normed_scale = weights > 0 ? along / weights : 1;
    add_qkv(given, into, "",
            "the normalised row is multiplied by " + number_text(scaled.normed_scale), scaled, 2);
}

void add_norms(const DiagnosisCase& given, Hypotheses& into) {
    const auto add = [&](Norm norm, const char* cause, const char* words) {
        QkvVariation variation;
        variation.norm = norm;
        add_qkv(given, into, cause, words, variation);
    };
    add(Norm::missing, "input_norm_missing", "hidden is projected without its norm");
    add(Norm::weight_ignored, "input_norm_weight_ignored", "input_layernorm's weight is ignored");
    add(Norm::weight_plus_one, "input_norm_weight_plus_one",
        "input_layernorm's weight is taken as 1 + weight");
    add(Norm::layer_norm, "input_norm_is_layer_norm",
        "the row's mean is subtracted before it is normalised");
    add(Norm::eps_outside_root, "input_norm_eps_outside_root",
        "rms_norm_eps is added outside the root");
    add(Norm::cast_before_weight, "input_norm_cast_before_weight",
        "the normalised row is cast to fp8 before it is multiplied by the weight");
    add_eps(given, into);
}

void add_low_precision(const DiagnosisCase& given, Hypotheses& into) {
    for (const int64_t every : {1, 2, 4, 8, 16, 32}) {
        QkvVariation variation;
        variation.round_normed = true;
        for (size_t which = 0; which < 3; ++which) {
            variation.linear[which] = qkv_linear(given.args_as<QkvArgs>(), static_cast<int>(which));
            variation.linear[which]->sum = {Sum::Rounding::nearest, DType::bf16, every};
        }
        add_qkv(given, into, "qkv_low_precision_accumulation",
                "the projections' sums are rounded to bf16 after every " +
                    (every == 1 ? std::string("product") : std::to_string(every) + " products"),
                variation, every == 1 ? 0 : 1, {{"every", std::to_string(every)}});
    }
}

// k and v that nobody wrote, in every row.
Prediction predict_unwritten(const DiagnosisCase& given, const Part& part) {
    Prediction made;
    made.taps.resize(given.taps().size());
    for (const char* name : {"k", "v"}) {
        if (!given.tap(name)) continue;
        const auto count = part.rows.size() * static_cast<size_t>(given.tap(name)->columns());
        made.taps[given.tap_index(name)].assign(count, std::numeric_limits<double>::quiet_NaN());
    }
    return made;
}

void add_places(const DiagnosisCase& given, Hypotheses& into) {
    QkvVariation swapped;
    swapped.k_v_swapped = true;
    add_qkv(given, into, "k_v_swapped", "k stands in the v cache and v in the k cache", swapped);
    for (const int64_t shift : {1, -1}) {
        QkvVariation shifted;
        shifted.cache_shift = shift;
        add_qkv(given, into, "cache_position_off_by_one",
                std::string("k and v are appended one row too ") + (shift > 0 ? "late" : "early"),
                shifted, shift > 0 ? 0 : 1, {{"offset", std::to_string(shift)}});
    }
    into.push_back({"",
                    {},
                    "k and v are not written to the cache's rows of these tokens",
                    1,
                    [&given](const Part& part) { return predict_unwritten(given, part); }});
}

}  // namespace

Hypotheses qkv_hypotheses(const DiagnosisCase& given) {
    Hypotheses all;
    add_biases(given, all);
    add_weights(given, all);
    add_packing(given, all);
    add_places(given, all);
    add_norms(given, all);
    add_rope_hypotheses(given, all);
    add_row_hypotheses(given, all);
    add_output_hypotheses(given, "q", {"q_tail_columns_skipped", "q_tail_rows_skipped", ""}, all);
    add_output_hypotheses(given, "k", {"", "", "k_output_scaled", 1.0625}, all);
    add_output_hypotheses(given, "v", {"", "", ""}, all);
    add_low_precision(given, all);
    return all;
}

}  // namespace lockstep
