// SPDX-License-Identifier: GPL-3.0-or-later
// All seven steps, right and plain: a place to start from. Keep the steps that you work on, delete
// the others (Lockstep then computes those itself), and make them fast.
//
//     g++ -O2 -shared -fPIC -I kernels/user -o plain.so kernels/user/examples/plain.cpp
//     ./lockstep compare --model smollm2-135m-instruct --candidate ./plain.so
#include <cmath>
#include <vector>

#include "lockstep_kernel.h"

namespace {

using Row = std::vector<float>;

// Row i of dimension 0 of a [rows, columns] tensor, as floats.
Row load_row(const lockstep_tensor& tensor, int64_t i) {
    Row row(static_cast<size_t>(tensor.shape[1]));
    for (size_t j = 0; j < row.size(); ++j)
        row[j] = lockstep_load(&tensor, i * tensor.stride[0] + static_cast<int64_t>(j));
    return row;
}

void store_row(const lockstep_tensor& tensor, int64_t i, const Row& row) {
    for (size_t j = 0; j < row.size(); ++j)
        lockstep_store(&tensor, i * tensor.stride[0] + static_cast<int64_t>(j), row[j]);
}

// Summed in double: one long sum in float is off by more than f32 activations allow.
float dot(const Row& a, const Row& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
    return static_cast<float>(sum);
}

// row * weight^T + bias; weight [out, in], bias [out] or NULL.
Row linear(const Row& row, const lockstep_tensor& weight, const lockstep_tensor* bias) {
    Row out(static_cast<size_t>(weight.shape[0]));
    for (size_t o = 0; o < out.size(); ++o) {
        out[o] = dot(row, load_row(weight, static_cast<int64_t>(o)));
        if (bias && bias->data) out[o] += lockstep_load(bias, static_cast<int64_t>(o));
    }
    return out;
}

Row rms_norm(const Row& row, const lockstep_tensor& weight, float eps) {
    const float mean_square = dot(row, row) / static_cast<float>(row.size());
    const float scale = 1 / std::sqrt(mean_square + eps);
    Row out(row.size());
    for (size_t i = 0; i < row.size(); ++i)
        out[i] = row[i] * scale * lockstep_load(&weight, static_cast<int64_t>(i));
    return out;
}

// Half-rotated RoPE of every head in the row.
void rotate(Row& row, const lockstep_tensor& cos, const lockstep_tensor& sin, int64_t position) {
    const auto half = static_cast<size_t>(cos.shape[1]);
    for (size_t head = 0; head < row.size(); head += 2 * half) {
        for (size_t i = 0; i < half; ++i) {
            const auto at = position * cos.stride[0] + static_cast<int64_t>(i);
            const float c = lockstep_load(&cos, at);
            const float s = lockstep_load(&sin, position * sin.stride[0] + static_cast<int64_t>(i));
            const float low = row[head + i], high = row[head + half + i];
            row[head + i] = low * c - high * s;
            row[head + half + i] = high * c + low * s;
        }
    }
}

// Row i of a [rows, heads, head_dim] tensor.
void store_heads(const lockstep_tensor& tensor, int64_t i, const Row& row) {
    const int64_t head_dim = tensor.shape[2];
    for (size_t j = 0; j < row.size(); ++j) {
        const int64_t head = static_cast<int64_t>(j) / head_dim;
        const int64_t d = static_cast<int64_t>(j) % head_dim;
        lockstep_store(&tensor, i * tensor.stride[0] + head * tensor.stride[1] + d, row[j]);
    }
}

}  // namespace

int lockstep_embed(const lockstep_embed_args* args) {
    for (int64_t t = 0; t < args->ids.shape[0]; ++t) {
        const int32_t id = static_cast<const int32_t*>(args->ids.data)[t * args->ids.stride[0]];
        store_row(args->hidden, t, load_row(args->embed_tokens, id));
    }
    return 0;
}

int lockstep_qkv(const lockstep_qkv_args* args) {
    for (int64_t t = 0; t < args->hidden.shape[0]; ++t) {
        const int64_t position = args->context.first_row + t;
        const Row normed =
            rms_norm(load_row(args->hidden, t), args->input_layernorm, args->rms_norm_eps);
        Row q = linear(normed, args->q_proj, &args->q_bias);
        Row k = linear(normed, args->k_proj, &args->k_bias);
        const Row v = linear(normed, args->v_proj, &args->v_bias);
        rotate(q, args->rope_cos, args->rope_sin, position);
        rotate(k, args->rope_cos, args->rope_sin, position);
        store_heads(args->q, t, q);
        store_heads(args->k_cache, position, k);
        store_heads(args->v_cache, position, v);
    }
    return 0;
}

int lockstep_attention(const lockstep_attention_args* args) {
    const lockstep_tensor &q = args->q, &k = args->k_cache, &v = args->v_cache;
    const int64_t heads = q.shape[1], head_dim = q.shape[2], kv_heads = k.shape[1];
    for (int64_t t = 0; t < q.shape[0]; ++t) {
        const int64_t seen = args->context.first_row + t + 1;
        for (int64_t a = 0; a < heads; ++a) {
            const int64_t g = a / (heads / kv_heads);
            Row weights(static_cast<size_t>(seen));
            float largest = -INFINITY, total = 0;
            for (int64_t row = 0; row < seen; ++row) {
                float score = 0;
                for (int64_t d = 0; d < head_dim; ++d) {
                    score += lockstep_load(&q, t * q.stride[0] + a * q.stride[1] + d) *
                             lockstep_load(&k, row * k.stride[0] + g * k.stride[1] + d);
                }
                weights[static_cast<size_t>(row)] = score *= args->scale;
                largest = std::fmax(largest, score);
            }
            for (float& weight : weights) total += weight = std::exp(weight - largest);
            for (int64_t d = 0; d < head_dim; ++d) {
                float sum = 0;
                for (int64_t row = 0; row < seen; ++row) {
                    sum += weights[static_cast<size_t>(row)] *
                           lockstep_load(&v, row * v.stride[0] + g * v.stride[1] + d);
                }
                lockstep_store(&args->attn, t * args->attn.stride[0] + a * head_dim + d,
                               sum / total);
            }
        }
    }
    return 0;
}

int lockstep_attn_output(const lockstep_attn_output_args* args) {
    for (int64_t t = 0; t < args->attn.shape[0]; ++t) {
        Row out = linear(load_row(args->attn, t), args->o_proj, nullptr);
        const Row hidden = load_row(args->hidden, t);
        for (size_t i = 0; i < out.size(); ++i) out[i] += hidden[i];
        store_row(args->hidden_attn, t, out);
    }
    return 0;
}

int lockstep_gate_up(const lockstep_gate_up_args* args) {
    for (int64_t t = 0; t < args->hidden_attn.shape[0]; ++t) {
        const Row normed = rms_norm(load_row(args->hidden_attn, t), args->post_attention_layernorm,
                                    args->rms_norm_eps);
        const Row up = linear(normed, args->up_proj, nullptr);
        Row mlp = linear(normed, args->gate_proj, nullptr);
        for (size_t i = 0; i < mlp.size(); ++i) mlp[i] = mlp[i] / (1 + std::exp(-mlp[i])) * up[i];
        store_row(args->mlp, t, mlp);
    }
    return 0;
}

int lockstep_down(const lockstep_down_args* args) {
    for (int64_t t = 0; t < args->mlp.shape[0]; ++t) {
        Row out = linear(load_row(args->mlp, t), args->down_proj, nullptr);
        const Row hidden = load_row(args->hidden_attn, t);
        for (size_t i = 0; i < out.size(); ++i) out[i] += hidden[i];
        store_row(args->hidden, t, out);
    }
    return 0;
}

int lockstep_logits(const lockstep_logits_args* args) {
    for (int64_t t = 0; t < args->hidden.shape[0]; ++t) {
        const Row normed = rms_norm(load_row(args->hidden, t), args->norm, args->rms_norm_eps);
        store_row(args->logits, t, linear(normed, args->lm_head, nullptr));
    }
    return 0;
}
