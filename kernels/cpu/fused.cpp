// SPDX-License-Identifier: GPL-3.0-or-later
// The fused path on the CPU: each of the seven steps in one pass over its weights, sums in f32, one
// rounding at the store. Weights of one dtype per step (bf16, f16 or f32), activations of any
// floating dtype.
#include "kernels/cpu/fused.h"

#include <cstring>

#include "kernels/cpu/fused_product.h"

namespace lockstep {
namespace {

Status require_floating(const Tensor& tensor, std::string_view name) {
    if (!tensor.defined() || is_floating(tensor.dtype)) return {};
    return fail(ErrorKind::unsupported, "fused reads f32, f16 and bf16, but " + std::string(name) +
                                            " is " + tensor.description());
}
Status require_same(const Tensor& a, const Tensor& b, std::string_view names) {
    if (a.dtype == b.dtype) return {};
    return fail(ErrorKind::unsupported, "fused needs one dtype for " + std::string(names) +
                                            ", but they are " + a.description() + " and " +
                                            b.description());
}

template <class Args>
Status check(const Args& args) {
    for (const TensorField<Args>& field : Args::fields()) {
        if (field.role == Role::constant || field.role == Role::unfused_output) continue;
        LOCKSTEP_TRY(require_floating(args.*field.member, field.name));
    }
    return {};
}

// A pointer for each of a group's columns; beyond the last row of the weights, the first once more,
// whose products nobody reads.
void plain_columns(const Tensor& weight, int64_t first, int64_t count, const void** columns) {
    const int64_t row_bytes = dtype_bytes(weight.dtype, weight.stride[0]);
    for (int64_t n = 0; n < count; ++n) {
        const int64_t row = first + n < weight.shape[0] ? first + n : 0;
        columns[n] = weight.as<char>() + row * row_bytes;
    }
}

int64_t groups_of(int64_t columns, int64_t per_group) {
    return (columns + per_group - 1) / per_group;
}

// out = residual + rows * weight^T
struct ResidualLayout {
    static constexpr int64_t group_columns = plain_group;
    Tensor weight, residual, out;

    int64_t groups() const { return groups_of(weight.shape[0], group_columns); }
    void columns(int64_t first, int64_t count, const void** to) const {
        plain_columns(weight, first * group_columns, count * group_columns, to);
    }
    void finish(const FinishedPanel& panel) const {
        const int64_t first = panel.first * group_columns;
        const int64_t count = std::min(panel.groups * group_columns, weight.shape[0] - first);
        const int64_t offset = dtype_bytes(out.dtype, first);
        for (int64_t r = 0; r < panel.rows; ++r) {
            const char* in = static_cast<const char*>(row_bytes_of(residual, panel.row + r));
            char* to = static_cast<char*>(row_bytes_of(out, panel.row + r));
            fused_kernels().add(panel.row_values(r), in + offset, count, to + offset, out.dtype);
        }
    }
};

struct LogitsLayout {
    static constexpr int64_t group_columns = plain_group;
    Tensor weight, logits;

    int64_t groups() const { return groups_of(weight.shape[0], group_columns); }
    void columns(int64_t first, int64_t count, const void** to) const {
        plain_columns(weight, first * group_columns, count * group_columns, to);
    }
    void finish(const FinishedPanel& panel) const {
        const int64_t first = panel.first * group_columns;
        const int64_t count = std::min(panel.groups * group_columns, weight.shape[0] - first);
        for (int64_t r = 0; r < panel.rows; ++r) {
            std::memcpy(row_of<float>(logits, panel.row + r) + first, panel.row_values(r),
                        static_cast<size_t>(count) * sizeof(float));
        }
    }
};

struct GateUpLayout {
    static constexpr int64_t group_columns = 2 * gate_group;
    Tensor gate, up, mlp;

    int64_t groups() const { return groups_of(gate.shape[0], gate_group); }
    // All gates, then all ups.
    void columns(int64_t first, int64_t count, const void** to) const {
        plain_columns(gate, first * gate_group, count * gate_group, to);
        plain_columns(up, first * gate_group, count * gate_group, to + count * gate_group);
    }
    void finish(const FinishedPanel& panel) const {
        const int64_t first = panel.first * gate_group;
        const int64_t count = std::min(panel.groups * gate_group, gate.shape[0] - first);
        for (int64_t r = 0; r < panel.rows; ++r) {
            char* to = static_cast<char*>(row_bytes_of(mlp, panel.row + r));
            const float* gates = panel.row_values(r);
            fused_kernels().gate(gates, gates + panel.groups * gate_group, count,
                                 to + dtype_bytes(mlp.dtype, first), mlp.dtype);
        }
    }
};

// A group is some rotation pairs of one head: columns and their partners half a head away. Heads of
// q come first, then those of k, then of v (whose pairs are not rotated).
struct QkvLayout {
    static constexpr int64_t pairs = rotation_group;
    static constexpr int64_t group_columns = 2 * pairs;
    const QkvArgs& args;
    int64_t position, heads, kv_heads, half_dim, groups_per_head;

    QkvLayout(const QkvArgs& a, int64_t first_row)
        : args(a),
          position(first_row),
          heads(a.q.shape[1]),
          kv_heads(a.k_cache.shape[1]),
          half_dim(a.q.shape[2] / 2),
          groups_per_head(groups_of(half_dim, pairs)) {}

    struct Part {  // which of the three a group belongs to
        const Tensor& weight;
        const Tensor& bias;
        const Tensor& out;
        int64_t out_row;  // that row 0 goes to
        int64_t head, pair;
        bool rotated;
    };
    Part part(int64_t group) const {
        int64_t head = group / groups_per_head;
        const int64_t pair = group % groups_per_head * pairs;
        if (head < heads) return {args.q_proj, args.q_bias, args.q, 0, head, pair, true};
        head -= heads;
        if (head < kv_heads)
            return {args.k_proj, args.k_bias, args.k_cache, position, head, pair, true};
        head -= kv_heads;
        return {args.v_proj, args.v_bias, args.v_cache, position, head, pair, false};
    }

    int64_t groups() const { return (heads + 2 * kv_heads) * groups_per_head; }
    // All lows, then all their partners: as they lie in memory, while the groups are of one head.
    void columns(int64_t first, int64_t count, const void** to) const {
        for (int64_t g = 0; g < count; ++g, to += pairs) {
            const Part p = part(first + g);
            const int64_t row_bytes = dtype_bytes(p.weight.dtype, p.weight.stride[0]);
            const char* const low =
                p.weight.as<char>() + (p.head * 2 * half_dim + p.pair) * row_bytes;
            for (int64_t i = 0; i < pairs; ++i) {
                to[i] = low + (p.pair + i < half_dim ? i : 0) * row_bytes;
                to[count * pairs + i] = static_cast<const char*>(to[i]) + half_dim * row_bytes;
            }
        }
    }
    void finish(const FinishedPanel& panel) const {
        for (int64_t g = panel.first; g < panel.first + panel.groups; ++g) finish_group(panel, g);
    }

    void finish_group(const FinishedPanel& panel, int64_t group) const {
        const Part p = part(group);
        const int64_t count = std::min(pairs, half_dim - p.pair);
        float bias[group_columns] = {};
        if (p.bias.defined()) {
            const int64_t low = p.head * 2 * half_dim + p.pair;
            for (int64_t i = 0; i < count; ++i) {
                bias[i] = load_element(p.bias.data, p.bias.dtype, low + i);
                bias[pairs + i] = load_element(p.bias.data, p.bias.dtype, low + half_dim + i);
            }
        }
        Rotation r;
        r.c = panel.c + (group - panel.first) * pairs;
        r.c_partner = panel.groups * pairs;
        r.bias = bias;
        if (p.rotated) {
            r.cosine = row_of<float>(args.rope_cos, position + panel.row) + p.pair;
            r.sine = row_of<float>(args.rope_sin, position + panel.row) + p.pair;
            r.angle_stride = args.rope_cos.stride[0];
        }
        r.rows = panel.rows;
        r.count = count;
        r.out = static_cast<char*>(row_bytes_of(p.out, p.out_row + panel.row)) +
                dtype_bytes(p.out.dtype, p.head * p.out.stride[1] + p.pair);
        r.out_stride = p.out.stride[0];
        r.partner = half_dim;
        r.dtype = p.out.dtype;
        fused_kernels().rotate(r);
    }
};

Status embed(const EmbedArgs& args, Stream&) {
    LOCKSTEP_TRY(check(args));
    LOCKSTEP_TRY(check_ids(args));
    for (int64_t t = 0; t < args.hidden.shape[0]; ++t) {
        fused_kernels().convert(row_bytes_of(args.embed_tokens, args.ids.as<int32_t>()[t]),
                                args.embed_tokens.dtype, args.hidden.shape[1],
                                row_bytes_of(args.hidden, t), args.hidden.dtype);
    }
    return {};
}

Status qkv(const QkvArgs& args, Stream& stream) {
    LOCKSTEP_TRY(check(args));
    LOCKSTEP_TRY(require_same(args.q_proj, args.k_proj, "q_proj and k_proj"));
    LOCKSTEP_TRY(require_same(args.q_proj, args.v_proj, "q_proj and v_proj"));
    LOCKSTEP_ASSIGN(const int64_t position, position_of(args.context));
    const ProductRows left{args.hidden, args.input_layernorm, args.rms_norm_eps};
    return Product(left, args.q_proj.dtype, stream).run(QkvLayout(args, position));
}

Status attn_output(const AttnOutputArgs& args, Stream& stream) {
    LOCKSTEP_TRY(check(args));
    const ProductRows left{args.attn, {}, 0};
    return Product(left, args.o_proj.dtype, stream)
        .run(ResidualLayout{args.o_proj, args.hidden, args.hidden_attn});
}

Status gate_up(const GateUpArgs& args, Stream& stream) {
    LOCKSTEP_TRY(check(args));
    LOCKSTEP_TRY(require_same(args.gate_proj, args.up_proj, "gate_proj and up_proj"));
    const ProductRows left{args.hidden_attn, args.post_attention_layernorm, args.rms_norm_eps};
    return Product(left, args.gate_proj.dtype, stream)
        .run(GateUpLayout{args.gate_proj, args.up_proj, args.mlp});
}

Status down(const DownArgs& args, Stream& stream) {
    LOCKSTEP_TRY(check(args));
    const ProductRows left{args.mlp, {}, 0};
    return Product(left, args.down_proj.dtype, stream)
        .run(ResidualLayout{args.down_proj, args.hidden_attn, args.hidden});
}

Status logits(const LogitsArgs& args, Stream& stream) {
    LOCKSTEP_TRY(check(args));
    const ProductRows left{args.hidden, args.norm, args.rms_norm_eps};
    return Product(left, args.lm_head.dtype, stream).run(LogitsLayout{args.lm_head, args.logits});
}

}  // namespace

KernelPath make_cpu_fused_path() {
    KernelPath path;
    path.name = "fused";
    path.device = DeviceKind::cpu;
    path.embed = embed;
    path.qkv = qkv;
    path.attention = fused_attention;
    path.attn_output = attn_output;
    path.gate_up = gate_up;
    path.down = down;
    path.logits = logits;
    return path;
}

}  // namespace lockstep
