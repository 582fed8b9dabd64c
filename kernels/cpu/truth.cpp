// SPDX-License-Identifier: GPL-3.0-or-later
// Truth on the CPU, the ruler: every step as its formula in steps.h says, activations in f32, sums
// and functions in double, weights of any floating dtype. Each output is computed by one thread in
// a fixed order, so the thread count changes no bit.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/cpu_stream.h"
#include "kernels/cpu/exact_dot.h"
#include "kernels/cpu/on_best_target.h"
#include "kernels/cpu/operands.h"
#include "kernels/cpu/rounding.h"
#include "kernels/kernel_path.h"

namespace lockstep {
namespace {

constexpr uint8_t bit(StepId step) {
    return static_cast<uint8_t>(1u << static_cast<int>(step));
}

// What a stream keeps for truth: room that grows to the largest call and is then reused.
struct TruthScratch {
    struct Thread {
        std::vector<float> narrow_row;
        std::vector<double> row, other_row, sums, other_sums;
    };
    std::vector<Thread> threads;
    std::vector<float> normed;

    explicit TruthScratch(Stream& stream)
        : threads(static_cast<size_t>(cpu_stream(stream).pool().threads())) {}
};

// `count` values of any floating dtype, as doubles.
const double* expand(const void* data, DType dtype, int64_t count, std::vector<float>& narrow_row,
                     std::vector<double>& row) {
    float* narrow = with_room(narrow_row, count);
    double* wide = with_room(row, count);
    widen(data, dtype, count, narrow);
    std::copy(narrow, narrow + count, wide);
    return wide;
}

// x[t] . weight[n] for every row t, into sums.
const double* products(const Tensor& x, const Tensor& weight, int64_t n,
                       std::vector<float>& narrow_row, std::vector<double>& row,
                       std::vector<double>& sums) {
    const int64_t rows = x.shape[0];
    const int64_t count = weight.shape[1];
    double* out = with_room(sums, rows);
    const double* w = expand(row_bytes_of(weight, n), weight.dtype, count, narrow_row, row);
    exact_dots(w, x.as<float>(), x.stride[0], rows, count, out);
    return out;
}

// store(t, n, x[t] . weight[n] + bias[n]) for every t and n; x is f32 [T, K], weight [N, K].
template <class StoreValue>
void linear(CpuStream& stream, const Tensor& x, const Tensor& weight, const Tensor& bias,
            const StoreValue& store) {
    TruthScratch& scratch = stream.state<TruthScratch>();
    stream.pool().parallel_for(weight.shape[0], 1, [&](int64_t first, int64_t last, int thread) {
        TruthScratch::Thread& own = scratch.threads[static_cast<size_t>(thread)];
        for (int64_t n = first; n < last && !stream.stopped(); ++n) {
            const double* sums = products(x, weight, n, own.narrow_row, own.row, own.sums);
            const double b = bias.defined() ? load_element(bias.data, bias.dtype, n) : 0;
            for (int64_t t = 0; t < x.shape[0]; ++t) store(t, n, sums[t] + b);
        }
    });
}

// x / sqrt(mean(x^2) + eps) * weight, into `normed` where the caller wants it, else into scratch.
Tensor rms_norm(CpuStream& stream, const Tensor& x, const Tensor& weight, float eps,
                const Tensor& wanted) {
    TruthScratch& scratch = stream.state<TruthScratch>();
    const int64_t rows = x.shape[0];
    const int64_t columns = x.shape[1];
    const Tensor normed = wanted.defined() ? wanted
                                           : Tensor(with_room(scratch.normed, rows * columns),
                                                    DType::f32, {rows, columns});
    TruthScratch::Thread& own = scratch.threads[0];
    const double* w = expand(weight.data, weight.dtype, columns, own.narrow_row, own.row);
    for (int64_t t = 0; t < rows; ++t) {
        const float* in = row_of<float>(x, t);
        float* out = row_of<float>(normed, t);
        double squares = 0;
        for (int64_t i = 0; i < columns; ++i) squares += static_cast<double>(in[i]) * in[i];
        const double scale = 1 / std::sqrt(squares / static_cast<double>(columns) + eps);
        for (int64_t i = 0; i < columns; ++i) out[i] = static_cast<float>(in[i] * scale * w[i]);
    }
    return normed;
}

// Rotates the heads of rows [first, first + rows) of a [.., heads, D] tensor by their positions:
// pairs are (i, i + D/2), as in transformers' rotate_half.
void rotate(const Tensor& x, int64_t first, int64_t rows, int64_t position, const QkvArgs& args) {
    const int64_t half = x.shape[2] / 2;
    for (int64_t t = 0; t < rows; ++t) {
        const float* cosine = row_of<float>(args.rope_cos, position + t);
        const float* sine = row_of<float>(args.rope_sin, position + t);
        for (int64_t head = 0; head < x.shape[1]; ++head) {
            float* low = head_of<float>(x, first + t, head);
            float* high = low + half;
            for (int64_t i = 0; i < half; ++i) {
                const double a = low[i];
                const double b = high[i];
                low[i] = static_cast<float>(a * cosine[i] - b * sine[i]);
                high[i] = static_cast<float>(b * cosine[i] + a * sine[i]);
            }
        }
    }
}

// A projection into [T, heads, D], `first` rows into its tensor.
void project_heads(CpuStream& stream, const Tensor& normed, const Tensor& weight,
                   const Tensor& bias, const Tensor& out, int64_t first) {
    const int64_t head_dim = out.shape[2];
    linear(stream, normed, weight, bias, [&](int64_t t, int64_t n, double value) {
        head_of<float>(out, first + t, n / head_dim)[n % head_dim] = static_cast<float>(value);
    });
}

void copy_heads(const Tensor& from, int64_t first, const Tensor& to) {
    if (!to.defined()) return;
    for (int64_t t = 0; t < to.shape[0]; ++t) {
        for (int64_t head = 0; head < to.shape[1]; ++head)
            std::copy_n(head_of<float>(from, first + t, head), to.shape[2],
                        head_of<float>(to, t, head));
    }
}

Status embed(const EmbedArgs& args, Stream&) {
    LOCKSTEP_TRY(require_activations(args, DType::f32, "truth"));
    LOCKSTEP_TRY(check_ids(args));
    for (int64_t t = 0; t < args.ids.shape[0]; ++t) {
        const Tensor& table = args.embed_tokens;
        widen(row_bytes_of(table, args.ids.as<int32_t>()[t]), table.dtype, table.shape[1],
              row_of<float>(args.hidden, t));
    }
    return {};
}

Status qkv(const QkvArgs& args, Stream& any_stream) {
    LOCKSTEP_TRY(require_activations(args, DType::f32, "truth"));
    LOCKSTEP_ASSIGN(const int64_t position, position_of(args.context));
    CpuStream& stream = cpu_stream(any_stream);
    const int64_t rows = args.hidden.shape[0];
    const Tensor normed =
        rms_norm(stream, args.hidden, args.input_layernorm, args.rms_norm_eps, args.normed);
    project_heads(stream, normed, args.q_proj, args.q_bias, args.q, 0);
    project_heads(stream, normed, args.k_proj, args.k_bias, args.k_cache, position);
    project_heads(stream, normed, args.v_proj, args.v_bias, args.v_cache, position);
    copy_heads(args.q, 0, args.q_pre_rope);
    copy_heads(args.k_cache, position, args.k_pre_rope);
    rotate(args.q, 0, rows, position, args);
    rotate(args.k_cache, position, rows, position, args);
    return {};
}

// sums += weight * v
void add_weighted(double weight, const float* v, int64_t count, double* sums) {
    on_best_target([&]() __attribute__((always_inline)) {
        for (int64_t i = 0; i < count; ++i) sums[i] += weight * static_cast<double>(v[i]);
    });
}

// One row of one head: its keys are rows [0, keys) of the cache.
void attend(const AttentionArgs& args, int64_t row, int64_t head, int64_t keys,
            TruthScratch::Thread& own) {
    const int64_t group = head / (args.q.shape[1] / args.k_cache.shape[1]);
    const int64_t head_dim = args.q.shape[2];
    double* scores = with_room(own.other_sums, keys);
    double* sums = with_room(own.sums, head_dim);
    const double* q =
        expand(head_of<float>(args.q, row, head), DType::f32, head_dim, own.narrow_row, own.row);
    exact_dots(q, head_of<float>(args.k_cache, 0, group), args.k_cache.stride[0], keys, head_dim,
               scores);
    double highest = -HUGE_VAL;
    for (int64_t key = 0; key < keys; ++key) {
        scores[key] *= args.scale;
        highest = std::max(highest, scores[key]);
    }
    double total = 0;
    std::fill_n(sums, head_dim, 0.0);
    for (int64_t key = 0; key < keys; ++key) {
        const double weight = std::exp(scores[key] - highest);
        total += weight;
        add_weighted(weight, head_of<float>(args.v_cache, key, group), head_dim, sums);
    }
    float* out = row_of<float>(args.attn, row) + head * head_dim;
    for (int64_t i = 0; i < head_dim; ++i) out[i] = static_cast<float>(sums[i] / total);
}

Status attention(const AttentionArgs& args, Stream& any_stream) {
    LOCKSTEP_TRY(require_activations(args, DType::f32, "truth"));
    LOCKSTEP_ASSIGN(const int64_t position, position_of(args.context));
    CpuStream& stream = cpu_stream(any_stream);
    TruthScratch& scratch = stream.state<TruthScratch>();
    const int64_t heads = args.q.shape[1];
    stream.pool().parallel_for(
        args.q.shape[0] * heads, 1, [&](int64_t first, int64_t last, int thread) {
            TruthScratch::Thread& own = scratch.threads[static_cast<size_t>(thread)];
            for (int64_t item = first; item < last && !stream.stopped(); ++item) {
                const int64_t row = item / heads;
                attend(args, row, item % heads, position + row + 1, own);
            }
        });
    return {};
}

// out = residual + x * weight^T
void add_projection(CpuStream& stream, const Tensor& x, const Tensor& weight,
                    const Tensor& residual, const Tensor& out) {
    linear(stream, x, weight, Tensor(), [&](int64_t t, int64_t n, double value) {
        row_of<float>(out, t)[n] = static_cast<float>(row_of<float>(residual, t)[n] + value);
    });
}

Status attn_output(const AttnOutputArgs& args, Stream& stream) {
    LOCKSTEP_TRY(require_activations(args, DType::f32, "truth"));
    add_projection(cpu_stream(stream), args.attn, args.o_proj, args.hidden, args.hidden_attn);
    return {};
}

Status gate_up(const GateUpArgs& args, Stream& any_stream) {
    LOCKSTEP_TRY(require_activations(args, DType::f32, "truth"));
    CpuStream& stream = cpu_stream(any_stream);
    TruthScratch& scratch = stream.state<TruthScratch>();
    const Tensor normed = rms_norm(stream, args.hidden_attn, args.post_attention_layernorm,
                                   args.rms_norm_eps, args.normed);
    stream.pool().parallel_for(
        args.gate_proj.shape[0], 1, [&](int64_t first, int64_t last, int thread) {
            TruthScratch::Thread& own = scratch.threads[static_cast<size_t>(thread)];
            for (int64_t n = first; n < last && !stream.stopped(); ++n) {
                const double* gate =
                    products(normed, args.gate_proj, n, own.narrow_row, own.row, own.sums);
                const double* up = products(normed, args.up_proj, n, own.narrow_row, own.other_row,
                                            own.other_sums);
                for (int64_t t = 0; t < normed.shape[0]; ++t) {
                    const double silu = gate[t] / (1 + std::exp(-gate[t]));
                    row_of<float>(args.mlp, t)[n] = static_cast<float>(silu * up[t]);
                }
            }
        });
    return {};
}

Status down(const DownArgs& args, Stream& stream) {
    LOCKSTEP_TRY(require_activations(args, DType::f32, "truth"));
    add_projection(cpu_stream(stream), args.mlp, args.down_proj, args.hidden_attn, args.hidden);
    return {};
}

Status logits(const LogitsArgs& args, Stream& any_stream) {
    LOCKSTEP_TRY(require_activations(args, DType::f32, "truth"));
    CpuStream& stream = cpu_stream(any_stream);
    const Tensor normed = rms_norm(stream, args.hidden, args.norm, args.rms_norm_eps, args.normed);
    linear(stream, normed, args.lm_head, Tensor(), [&](int64_t t, int64_t n, double value) {
        row_of<float>(args.logits, t)[n] = static_cast<float>(value);
    });
    return {};
}

}  // namespace

KernelPath make_cpu_truth_path() {
    KernelPath path;
    path.name = "truth";
    path.f32_activations = true;
    path.writes_unfused_outputs = bit(StepId::qkv) | bit(StepId::gate_up) | bit(StepId::logits);
    path.embed = embed;
    path.qkv = qkv;
    path.attention = attention;
    path.attn_output = attn_output;
    path.gate_up = gate_up;
    path.down = down;
    path.logits = logits;
    return path;
}

}  // namespace lockstep
