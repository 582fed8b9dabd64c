// SPDX-License-Identifier: GPL-3.0-or-later
// Every step in plain loops, one of them exported (STEP_qkv, ...), with a fault that no catalogue
// lists (FAULT, or "none").
#include <math.h>
#include <string.h>

#include <algorithm>
#include <vector>

#include "lockstep_kernel.h"

namespace {

bool has(const char* fault) {
    return strcmp(FAULT, fault) == 0;
}

float at(const lockstep_tensor& x, int64_t row, int64_t column) {
    return lockstep_load(&x, row * x.stride[0] + column);
}

void put(const lockstep_tensor& x, int64_t row, int64_t column, double value) {
    lockstep_store(&x, row * x.stride[0] + column, static_cast<float>(value));
}

using Row = std::vector<double>;

[[maybe_unused]] Row row_of(const lockstep_tensor& x, int64_t row) {
    Row values(static_cast<size_t>(x.shape[1]));
    for (size_t i = 0; i < values.size(); ++i) values[i] = at(x, row, static_cast<int64_t>(i));
    return values;
}

[[maybe_unused]] Row normed(const lockstep_tensor& x, int64_t row, const lockstep_tensor& weight,
                            float eps) {
    Row values = row_of(x, row);
    double squares = 0;
    // The squares of a vector lane that is never added.
    for (size_t i = 0; i < values.size(); ++i) {
        if (!(has("norm_lane_lost") && i % 4 == 3)) squares += values[i] * values[i];
    }
    const double size = sqrt(squares / static_cast<double>(values.size()) + eps);
    for (size_t i = 0; i < values.size(); ++i)
        values[i] = values[i] / size * lockstep_load(&weight, static_cast<int64_t>(i));
    return values;
}

// A weight as it would be after a store in 4 bits, its row's largest value being 7.
[[maybe_unused]] Row four_bits(Row weight) {
    double largest = 0;
    for (const double w : weight) largest = std::max(largest, fabs(w));
    for (double& w : weight) w = round(w / largest * 7) * largest / 7;
    return weight;
}

[[maybe_unused]] double dot(const Row& x, const Row& weight) {
    size_t count = x.size();
    if (has("inputs_tail_skipped")) count = count / 32 * 32;
    double sum = 0;
    for (size_t i = 0; i < count; ++i) {
        if (has("every_16th_input_skipped") && i % 16 == 5) continue;
        sum += x[i] * weight[i];
    }
    return sum;
}

[[maybe_unused]] void project_and_add(const lockstep_tensor& x, const lockstep_tensor& weight,
                                      const lockstep_tensor& residual, const lockstep_tensor& out) {
    for (int64_t n = 0; n < out.shape[1]; ++n) {
        Row w = row_of(weight, n);
        if (has("weight_in_4_bits")) w = four_bits(w);
        for (int64_t t = 0; t < out.shape[0]; ++t) {
            Row in = row_of(x, t);
            if (has("inputs_reversed")) std::reverse(in.begin(), in.end());
            double sum = dot(in, w);
            if (has("sign_of_odd_columns") && n % 2 == 1) sum = -sum;
            if (has("saturated")) sum = std::clamp(sum, -0.5, 0.5);
            if (has("columns_in_pairs")) sum = dot(in, row_of(weight, n / 2 * 2));
            put(out, t, n, at(residual, t, n) + sum);
        }
    }
}

}  // namespace

#if defined(STEP_embed)
int lockstep_embed(const lockstep_embed_args* args) {
    for (int64_t t = 0; t < args->hidden.shape[0]; ++t) {
        const int32_t id = static_cast<const int32_t*>(args->ids.data)[t];
        Row row = row_of(args->embed_tokens, id);
        if (has("halves_swapped"))
            std::rotate(row.begin(), row.begin() + static_cast<int64_t>(row.size() / 2), row.end());
        for (size_t i = 0; i < row.size(); ++i)
            put(args->hidden, t, static_cast<int64_t>(i), row[i]);
    }
    return 0;
}
#elif defined(STEP_qkv)
static void project_heads(const lockstep_qkv_args* args, const Row& x, int64_t position,
                          const lockstep_tensor& weight, const lockstep_tensor& bias,
                          const lockstep_tensor& out, int64_t out_row, bool rotated) {
    const int64_t dim = out.shape[2], half = dim / 2;
    for (int64_t head = 0; head < out.shape[1]; ++head) {
        Row y(static_cast<size_t>(dim));
        for (int64_t d = 0; d < dim; ++d) {
            y[static_cast<size_t>(d)] = dot(x, row_of(weight, head * dim + d));
            if (bias.data) y[static_cast<size_t>(d)] += lockstep_load(&bias, head * dim + d);
        }
        for (int64_t i = 0; i < half && rotated; ++i) {
            if (has("quarter_of_the_pairs_rotated") && i >= half / 4) break;
            const double c = at(args->rope_cos, position, i), s = at(args->rope_sin, position, i);
            double &low = y[static_cast<size_t>(i)], &high = y[static_cast<size_t>(i + half)];
            const double a = low, b = high;
            low = a * c - b * s;
            high = b * c + a * s;
        }
        for (int64_t d = 0; d < dim; ++d) {
            lockstep_store(&out, out_row * out.stride[0] + head * out.stride[1] + d,
                           static_cast<float>(y[static_cast<size_t>(d)]));
        }
    }
}

int lockstep_qkv(const lockstep_qkv_args* args) {
    for (int64_t t = 0; t < args->q.shape[0]; ++t) {
        const Row x = normed(args->hidden, t, args->input_layernorm, args->rms_norm_eps);
        const int64_t position = args->context.first_row + t;
        project_heads(args, x, position, args->q_proj, args->q_bias, args->q, t, true);
        project_heads(args, x, position, args->k_proj, args->k_bias, args->k_cache, position, true);
        project_heads(args, x, position, args->v_proj, args->v_bias, args->v_cache, position,
                      false);
    }
    return 0;
}
#elif defined(STEP_attention)
static void attend(const lockstep_attention_args* args, int64_t t, int64_t head) {
    const int64_t dim = args->q.shape[2];
    const int64_t group = head / (args->q.shape[1] / args->k_cache.shape[1]);
    const int64_t keys = args->context.first_row + t + 1;
    const auto cached = [&](const lockstep_tensor& cache, int64_t key, int64_t d) {
        return lockstep_load(&cache, key * cache.stride[0] + group * cache.stride[1] + d);
    };
    int64_t first = 0;
    if (has("window_of_6_keys")) first = std::max<int64_t>(0, keys - 6);
    if (has("first_key_unseen") && keys > 1) first = 1;
    Row scores;
    for (int64_t key = first; key < keys; ++key) {
        double score = 0;
        for (int64_t d = 0; d < dim; ++d) {
            score += lockstep_load(&args->q, t * args->q.stride[0] + head * args->q.stride[1] + d) *
                     cached(args->k_cache, key, d);
        }
        score *= args->scale;
        if (has("scores_by_distance")) score -= 0.2 * static_cast<double>(keys - 1 - key);
        scores.push_back(score);
    }
    const double highest = *std::max_element(scores.begin(), scores.end());
    double total = 0;
    for (double& score : scores) total += score = exp(score - highest);
    if (has("softmax_plus_one")) total += exp(-highest);
    for (int64_t d = 0; d < dim; ++d) {
        double sum = 0;
        for (size_t i = 0; i < scores.size(); ++i)
            sum += scores[i] * cached(args->v_cache, first + static_cast<int64_t>(i), d);
        put(args->attn, t, head * dim + d, sum / total);
    }
}

int lockstep_attention(const lockstep_attention_args* args) {
    for (int64_t t = 0; t < args->q.shape[0]; ++t)
        for (int64_t head = 0; head < args->q.shape[1]; ++head) attend(args, t, head);
    return 0;
}
#elif defined(STEP_attn_output)
int lockstep_attn_output(const lockstep_attn_output_args* args) {
    project_and_add(args->attn, args->o_proj, args->hidden, args->hidden_attn);
    return 0;
}
#elif defined(STEP_gate_up)
int lockstep_gate_up(const lockstep_gate_up_args* args) {
    for (int64_t t = 0; t < args->mlp.shape[0]; ++t) {
        const Row x =
            normed(args->hidden_attn, t, args->post_attention_layernorm, args->rms_norm_eps);
        for (int64_t n = 0; n < args->mlp.shape[1]; ++n) {
            const double gate = dot(x, row_of(args->gate_proj, n));
            double up =
                dot(x, row_of(args->up_proj,
                              has("up_of_next_row") && n + 1 < args->mlp.shape[1] ? n + 1 : n));
            if (has("up_clamped")) up = std::clamp(up, -0.5, 0.5);
            double act = gate / (1 + exp(-gate));
            if (has("relu")) act = std::max(0.0, gate);
            if (has("silu_of_twice_gate")) act = gate / (1 + exp(-2 * gate));
            put(args->mlp, t, n, act * up);
        }
    }
    return 0;
}
#elif defined(STEP_down)
int lockstep_down(const lockstep_down_args* args) {
    project_and_add(args->mlp, args->down_proj, args->hidden_attn, args->hidden);
    return 0;
}
#elif defined(STEP_logits)
int lockstep_logits(const lockstep_logits_args* args) {
    for (int64_t t = 0; t < args->logits.shape[0]; ++t) {
        const Row x = normed(args->hidden, t, args->norm, args->rms_norm_eps);
        for (int64_t n = 0; n < args->logits.shape[1]; ++n) {
            double logit = dot(x, row_of(args->lm_head, n));
            if (has("soft_capped")) logit = 3 * tanh(logit / 3);
            put(args->logits, t, n, logit);
        }
    }
    return 0;
}
#endif
