// SPDX-License-Identifier: GPL-3.0-or-later
// Hypotheses of attention.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "core/inspect/diagnosis_hypothesis.h"
#include "core/inspect/diagnosis_maths.h"
#include "kernels/cpu/operands.h"

namespace lockstep {
namespace {

struct AttentionVariation {
    std::optional<double> scale;
    bool masked = true;             // else every row sees all of the batch's keys
    int64_t sees = 0;               // keys more than its own and those before it
    int64_t whole_keys = 1;         // of a row's keys, only this many times n are seen
    std::vector<int64_t> key_head;  // of each head; empty: a / (A / G)
    bool heads_first = false;       // the caches' memory is read as [G, C, D]
    bool k_for_v = false;
    bool transposed = false;  // attn as [D, A]
    double score_noise = 0;   // each score is off by so much of its products' sizes, up or down
};

// Where a head's rows lie in a cache.
struct CacheView {
    const float* data = nullptr;
    int64_t stride = 0;
};
CacheView cache_view(const Tensor& cache, int64_t head, bool heads_first) {
    if (!heads_first) return {head_of<float>(cache, 0, head), cache.stride[0]};
    const int64_t head_dim = cache.shape[2];
    return {cache.as<float>() + head * cache.shape[0] * head_dim, head_dim};
}

int64_t keys_of(const AttentionArgs& args, const AttentionVariation& variation, int64_t row) {
    const int64_t first_row = args.context.first_row;
    if (!variation.masked) return first_row + args.q.shape[0];
    int64_t keys = first_row + row + 1 + variation.sees;
    keys = std::clamp<int64_t>(keys, 1, args.k_cache.shape[0]);
    const int64_t whole = keys / variation.whole_keys * variation.whole_keys;
    return whole > 0 ? whole : keys;
}

void attend(const AttentionArgs& args, const AttentionVariation& variation, int64_t row,
            int64_t head, double* out) {
    const int64_t head_dim = args.q.shape[2];
    const int64_t plain = head / (args.q.shape[1] / args.k_cache.shape[1]);
    const int64_t group =
        variation.key_head.empty() ? plain : variation.key_head[static_cast<size_t>(head)];
    const CacheView k = cache_view(args.k_cache, group, variation.heads_first);
    const CacheView v =
        variation.k_for_v ? k : cache_view(args.v_cache, group, variation.heads_first);
    const float* const q = head_of<float>(args.q, row, head);
    const int64_t keys = keys_of(args, variation, row);
    std::vector<double> scores(static_cast<size_t>(keys));
    double highest = -HUGE_VAL, total = 0;
    for (int64_t key = 0; key < keys; ++key) {
        double dot = 0, sizes = 0;
        for (int64_t i = 0; i < head_dim; ++i) {
            const double one = static_cast<double>(q[i]) * k.data[key * k.stride + i];
            dot += one;
            sizes += std::abs(one);
        }
        const bool up = (key * 7 + head * 3 + row) % 4 < 2;
        dot += (up ? variation.score_noise : -variation.score_noise) * sizes;
        scores[static_cast<size_t>(key)] = dot * variation.scale.value_or(args.scale);
        highest = std::max(highest, scores[static_cast<size_t>(key)]);
    }
    std::fill_n(out, head_dim, 0.0);
    for (int64_t key = 0; key < keys; ++key) {
        const double weight = std::exp(scores[static_cast<size_t>(key)] - highest);
        total += weight;
        for (int64_t i = 0; i < head_dim; ++i)
            out[i] += weight * static_cast<double>(v.data[key * v.stride + i]);
    }
    for (int64_t i = 0; i < head_dim; ++i) out[i] /= total;
}

Matrix outputs(const DiagnosisCase& given, const AttentionVariation& variation, const Part& part) {
    const auto& args = given.args_as<AttentionArgs>();
    const int64_t heads = args.q.shape[1], head_dim = args.q.shape[2];
    Matrix out(static_cast<int64_t>(part.rows.size()), heads * head_dim);
    given.pool().parallel_for(out.rows * heads, 1, [&](int64_t first, int64_t last, int) {
        std::vector<double> own(static_cast<size_t>(head_dim));
        for (int64_t item = first; item < last; ++item) {
            const int64_t r = item / heads, head = item % heads;
            attend(args, variation, part.rows[static_cast<size_t>(r)], head, own.data());
            for (int64_t i = 0; i < head_dim; ++i)
                out.row(r)[variation.transposed ? i * heads + head : head * head_dim + i] =
                    own[static_cast<size_t>(i)];
        }
    });
    return out;
}

// Rounding errors of the scores grow with them: what they make of the outputs, per row and head.
std::vector<double> noise_of_scores(const DiagnosisCase& given, AttentionVariation variation,
                                    const Part& part, const Matrix& plain) {
    variation.score_noise = given.rounding();
    Matrix off = outputs(given, variation, part);
    const int64_t head_dim = given.args_as<AttentionArgs>().q.shape[2];
    for (int64_t r = 0; r < off.rows; ++r) {
        for (int64_t first = 0; first < off.columns; first += head_dim) {
            double squares = 0;
            for (int64_t c = first; c < first + head_dim; ++c)
                squares += std::pow(off.row(r)[c] - plain.row(r)[c], 2);
            std::fill_n(off.row(r) + first, head_dim,
                        std::sqrt(squares / static_cast<double>(head_dim)));
        }
    }
    return off.values;
}

Prediction predict(const DiagnosisCase& given, const AttentionVariation& variation,
                   const Part& part) {
    Matrix out = outputs(given, variation, part);
    Prediction made;
    if (variation.scale) made.noise.push_back(noise_of_scores(given, variation, part, out));
    made.taps.push_back(std::move(out.values));
    return made;
}

void add(const DiagnosisCase& given, Hypotheses& into, std::string cause, std::string words,
         AttentionVariation variation, int freedom = 0,
         std::map<std::string, std::string> parameters = {}) {
    into.push_back({std::move(cause), std::move(parameters), std::move(words), freedom,
                    [&given, variation = std::move(variation)](const Part& part) {
                        return predict(given, variation, part);
                    }});
}

double squared_error(const DiagnosisCase& given, const Part& part, const Matrix& expected,
                     int64_t first_column, int64_t last_column) {
    const TapValues& attn = given.taps()[0];
    double sum = 0;
    for (size_t r = 0; r < part.rows.size(); ++r) {
        for (int64_t c = first_column; c < last_column; ++c) {
            const double off =
                expected.row(static_cast<int64_t>(r))[c] -
                attn.candidate[static_cast<size_t>(part.rows[r] * attn.columns() + c)];
            sum += std::isfinite(off) ? off * off : 0;
        }
    }
    return sum;
}

void add_scales(const DiagnosisCase& given, Hypotheses& into) {
    const auto& args = given.args_as<AttentionArgs>();
    const auto head_dim = static_cast<double>(args.q.shape[2]);
    const auto add_one = [&](double scale, const char* cause, const std::string& words,
                             int freedom) {
        AttentionVariation variation;
        variation.scale = scale;
        add(given, into, cause, words, variation, freedom, {{"scale", number_text(scale)}});
        into.back().family = "softmax_scale";
    };
    add_one(1 / head_dim, "softmax_scale_wrong", "scores are multiplied by 1 / D", 0);
    add_one(1, "softmax_scale_missing", "scores are not scaled", 0);
    const Part part = given.sample(3);
    const auto misfit = [&](double log_scale) {
        AttentionVariation variation;
        variation.scale = std::exp(log_scale);
        return squared_error(given, part, outputs(given, variation, part), 0,
                             given.taps()[0].columns());
    };
    const double fitted = std::exp(least_near(std::log(args.scale), 1.5, 1e-4, 2, misfit));
    add_one(fitted, "softmax_scale_wrong", "scores are multiplied by " + number_text(fitted), 2);
}

void add_masks(const DiagnosisCase& given, Hypotheses& into) {
    AttentionVariation variation;
    variation.masked = false;
    if (given.rows() > 1)
        add(given, into, "causal_mask_missing", "every row sees all of the batch's keys",
            variation);
    for (const int64_t sees : {-1, 1}) {
        variation = {};
        variation.sees = sees;
        add(given, into, "causal_mask_off_by_one",
            sees < 0 ? "a row does not see its own key" : "a row sees the key after its own",
            variation, sees < 0 ? 0 : 1, {{"offset", std::to_string(sees)}});
    }
    for (const int64_t whole : {8, 2, 4, 16, 32, 64, 128}) {
        variation = {};
        variation.whole_keys = whole;
        add(given, into, "tail_keys_skipped",
            "of each row's keys those after the last whole " + std::to_string(whole) +
                " are not seen",
            variation, whole == 8 ? 0 : 1, {{"block", std::to_string(whole)}});
    }
}

// For each head the key head that its output is best explained by.
std::vector<int64_t> fitted_key_heads(const DiagnosisCase& given) {
    const auto& args = given.args_as<AttentionArgs>();
    const int64_t heads = args.q.shape[1], groups = args.k_cache.shape[1];
    const int64_t head_dim = args.q.shape[2];
    const Part part = given.sample(3);
    std::vector<int64_t> best(static_cast<size_t>(heads));
    std::vector<double> least(static_cast<size_t>(heads), HUGE_VAL);
    for (int64_t group = 0; group < groups; ++group) {
        AttentionVariation variation;
        variation.key_head.assign(static_cast<size_t>(heads), group);
        const Matrix made = outputs(given, variation, part);
        for (int64_t head = 0; head < heads; ++head) {
            const auto at = static_cast<size_t>(head);
            const double misfit =
                squared_error(given, part, made, head * head_dim, (head + 1) * head_dim);
            if (misfit < least[at]) best[at] = group;
            least[at] = std::min(least[at], misfit);
        }
    }
    return best;
}

void add_head_maps(const DiagnosisCase& given, Hypotheses& into) {
    const auto& args = given.args_as<AttentionArgs>();
    const int64_t heads = args.q.shape[1], groups = args.k_cache.shape[1];
    if (groups == 1) return;
    AttentionVariation variation;
    variation.key_head.resize(static_cast<size_t>(heads));
    for (int64_t head = 0; head < heads; ++head)
        variation.key_head[static_cast<size_t>(head)] = head % groups;
    add(given, into, "grouped_head_map_wrong",
        "head a reads key head a mod G instead of a / (A / G)", variation, 0, {{"map", "a mod G"}});
    const std::vector<int64_t> fitted = fitted_key_heads(given);
    if (fitted == variation.key_head) return;
    std::string text;
    for (const int64_t group : fitted) text += (text.empty() ? "" : ", ") + std::to_string(group);
    variation.key_head = fitted;
    add(given, into, "grouped_head_map_wrong", "heads read the key heads " + text, variation, 1,
        {{"map", text}});
}

}  // namespace

Hypotheses attention_hypotheses(const DiagnosisCase& given) {
    Hypotheses all;
    const auto& args = given.args_as<AttentionArgs>();
    add_scales(given, all);
    add_masks(given, all);
    add_head_maps(given, all);
    AttentionVariation variation;
    if (args.k_cache.contiguous() && args.v_cache.contiguous() && args.k_cache.shape[1] > 1) {
        variation.heads_first = true;
        add(given, all, "cache_layout_wrong",
            "the caches' memory is read as [G, C, D] instead of [C, G, D]", variation);
    }
    variation = {};
    variation.k_for_v = true;
    add(given, all, "v_cache_is_k_cache", "the scores weigh the rows of the k cache", variation);
    variation = {};
    variation.transposed = true;
    add(given, all, "attn_heads_transposed", "attn is written as [D, A] instead of [A, D]",
        variation);
    add_output_hypotheses(given, "attn", {}, all);
    return all;
}

}  // namespace lockstep
