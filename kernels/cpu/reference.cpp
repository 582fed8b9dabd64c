// SPDX-License-Identifier: GPL-3.0-or-later
// The reference on the CPU: the model's own dtype, unfused, every operation rounded where
// transformers' modelling code (modeling_llama.py, modeling_qwen2.py, eager attention) has a tensor
// of that dtype; products by oneDNN, as PyTorch makes them.
#include "kernels/cpu/reference.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "kernels/cpu/operands.h"
#include "kernels/cpu/reference_rows.h"
#include "kernels/cpu/rounding.h"

namespace lockstep {
namespace {

constexpr uint8_t bit(StepId step) {
    return static_cast<uint8_t>(1u << static_cast<int>(step));
}

// Tensors between a step's operations, and a few f32 rows per thread to compute them in.
class Workspace {
  public:
    explicit Workspace(Stream& stream)
        : rows_(static_cast<size_t>(cpu_stream(stream).pool().threads())) {}

    enum Slot { normed, first, second, third, slots };
    Tensor tensor(Slot slot, DType dtype, int64_t rows, int64_t columns) {
        std::vector<char>& room = tensors_[slot];
        const auto bytes = static_cast<size_t>(dtype_bytes(dtype, rows * columns));
        if (room.size() < bytes) room.resize(bytes);
        return {room.data(), dtype, {rows, columns}};
    }
    // Row `index` (0 to 3) of `thread`, `columns` long.
    float* row(int thread, size_t index, int64_t columns) {
        std::vector<float>& room = rows_[static_cast<size_t>(thread)][index];
        if (room.size() < static_cast<size_t>(columns)) room.resize(static_cast<size_t>(columns));
        return room.data();
    }

  private:
    std::array<std::vector<char>, slots> tensors_;
    std::vector<std::array<std::vector<float>, 4>> rows_;
};

// One call's surroundings.
struct Call {
    CpuStream& stream;
    Workspace& workspace;
    OneDnn& onednn;
    DType dtype;
    Products products;

    Call(Stream& any, DType type, std::optional<Products> chosen)
        : stream(cpu_stream(any)),
          workspace(any.state<Workspace>()),
          onednn(any.state<OneDnn>()),
          dtype(type),
          products(chosen.value_or(products_for(type))) {}

    Status linear(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Tensor& y) const {
        return onednn.linear(x, weight, bias, y, products);
    }
    // body(t, thread) for every row.
    template <class Body>
    void for_rows(int64_t rows, const Body& body) const {
        stream.pool().parallel_for(rows, 1, [&](int64_t begin, int64_t end, int thread) {
            for (int64_t t = begin; t < end && !stream.stopped(); ++t) body(t, thread);
        });
    }
};

// LlamaRMSNorm: f32 inside, rounded before it is multiplied with the weight, and after.
Tensor rms_norm(const Call& call, const Tensor& x, const Tensor& weight, float eps,
                const Tensor& wanted) {
    const int64_t rows = x.shape[0];
    const int64_t columns = x.shape[1];
    const Tensor normed = wanted.defined()
                              ? wanted
                              : call.workspace.tensor(Workspace::normed, call.dtype, rows, columns);
    call.for_rows(rows, [&](int64_t t, int thread) {
        float* row = call.workspace.row(thread, 0, columns);
        float* w = call.workspace.row(thread, 1, columns);
        widen(row_bytes_of(x, t), x.dtype, columns, row);
        widen(weight.data, weight.dtype, columns, w);
        rms_norm_row(row, w, columns, eps, call.dtype);
        narrow(row, columns, call.dtype, row_bytes_of(normed, t));
    });
    return normed;
}

// out = residual + out, element by element.
void add_residual(const Call& call, const Tensor& residual, const Tensor& out) {
    const int64_t columns = out.shape[1];
    call.for_rows(out.shape[0], [&](int64_t t, int thread) {
        float* sum = call.workspace.row(thread, 0, columns);
        float* term = call.workspace.row(thread, 1, columns);
        widen(row_bytes_of(out, t), call.dtype, columns, sum);
        widen(row_bytes_of(residual, t), call.dtype, columns, term);
        add_row(sum, term, columns);
        narrow(sum, columns, call.dtype, row_bytes_of(out, t));
    });
}

char* head_bytes(const Tensor& tensor, int64_t row, int64_t head) {
    return tensor.as<char>() +
           dtype_bytes(tensor.dtype, row * tensor.stride[0] + head * tensor.stride[1]);
}

// One row of a projection, [heads * D], into a row of a [.., heads, D] tensor.
void place_row(const Tensor& from, int64_t t, const Tensor& to, int64_t row) {
    if (!to.defined()) return;
    const auto bytes = static_cast<size_t>(dtype_bytes(to.dtype, to.shape[2]));
    const char* source = static_cast<const char*>(row_bytes_of(from, t));
    for (int64_t head = 0; head < to.shape[1]; ++head)
        std::memcpy(head_bytes(to, row, head), source + static_cast<size_t>(head) * bytes, bytes);
}

// apply_rotary_pos_emb of one row, with the angles of `position`, rounded as the tensors are.
class Rotation {
  public:
    Rotation(const Call& call, const QkvArgs& args, int64_t position, int thread)
        : dtype_(call.dtype), half_(args.rope_cos.shape[1]) {
        cosine_ = call.workspace.row(thread, 0, half_);
        sine_ = call.workspace.row(thread, 1, half_);
        head_ = call.workspace.row(thread, 2, 2 * half_);
        std::copy_n(row_of<float>(args.rope_cos, position), half_, cosine_);
        std::copy_n(row_of<float>(args.rope_sin, position), half_, sine_);
        round_in_place(cosine_, half_, dtype_);
        round_in_place(sine_, half_, dtype_);
    }

    void rotate(const Tensor& from, int64_t t, const Tensor& to, int64_t row) const {
        const char* source = static_cast<const char*>(row_bytes_of(from, t));
        for (int64_t head = 0; head < to.shape[1]; ++head) {
            widen(source + dtype_bytes(dtype_, head * 2 * half_), dtype_, 2 * half_, head_);
            rotate_row(head_, cosine_, sine_, half_, dtype_);
            narrow(head_, 2 * half_, dtype_, head_bytes(to, row, head));
        }
    }

  private:
    DType dtype_;
    int64_t half_;
    float *cosine_, *sine_, *head_;
};

using Chosen = std::optional<Products>;

template <class Args>
Status check_dtypes(const Args& args, DType dtype) {
    LOCKSTEP_TRY(require_activations(args, dtype, "reference"));
    return require_weights(args, dtype, "reference");
}

Status embed(const EmbedArgs& args) {
    LOCKSTEP_TRY(check_dtypes(args, args.hidden.dtype));
    LOCKSTEP_TRY(check_ids(args));
    const auto bytes = static_cast<size_t>(dtype_bytes(args.hidden.dtype, args.hidden.shape[1]));
    for (int64_t t = 0; t < args.ids.shape[0]; ++t)
        std::memcpy(row_bytes_of(args.hidden, t),
                    row_bytes_of(args.embed_tokens, args.ids.as<int32_t>()[t]), bytes);
    return {};
}

Status qkv(const QkvArgs& args, Stream& stream, Chosen products) {
    LOCKSTEP_TRY(check_dtypes(args, args.hidden.dtype));
    LOCKSTEP_ASSIGN(const int64_t position, position_of(args.context));
    const Call call(stream, args.hidden.dtype, products);
    const int64_t rows = args.hidden.shape[0];
    const auto room = [&](Workspace::Slot slot, const Tensor& weight) {
        return call.workspace.tensor(slot, call.dtype, rows, weight.shape[0]);
    };
    const Tensor q = room(Workspace::first, args.q_proj);
    const Tensor k = room(Workspace::second, args.k_proj);
    const Tensor v = room(Workspace::third, args.v_proj);
    const Tensor normed =
        rms_norm(call, args.hidden, args.input_layernorm, args.rms_norm_eps, args.normed);
    LOCKSTEP_TRY(call.linear(normed, args.q_proj, args.q_bias, q));
    LOCKSTEP_TRY(call.linear(normed, args.k_proj, args.k_bias, k));
    LOCKSTEP_TRY(call.linear(normed, args.v_proj, args.v_bias, v));
    call.for_rows(rows, [&](int64_t t, int thread) {
        const Rotation rotation(call, args, position + t, thread);
        place_row(q, t, args.q_pre_rope, t);
        place_row(k, t, args.k_pre_rope, t);
        rotation.rotate(q, t, args.q, t);
        rotation.rotate(k, t, args.k_cache, position + t);
        place_row(v, t, args.v_cache, position + t);
    });
    return {};
}

Status attn_output(const AttnOutputArgs& args, Stream& stream, Chosen products) {
    LOCKSTEP_TRY(check_dtypes(args, args.hidden.dtype));
    const Call call(stream, args.hidden.dtype, products);
    LOCKSTEP_TRY(call.linear(args.attn, args.o_proj, Tensor(), args.hidden_attn));
    add_residual(call, args.hidden, args.hidden_attn);
    return {};
}

// silu rounded, its product with up rounded; gate is in `mlp` already.
void multiply_silu(const Call& call, const Tensor& up, const Tensor& mlp) {
    const int64_t columns = mlp.shape[1];
    call.for_rows(mlp.shape[0], [&](int64_t t, int thread) {
        float* x = call.workspace.row(thread, 0, columns);
        float* y = call.workspace.row(thread, 1, columns);
        widen(row_bytes_of(mlp, t), call.dtype, columns, x);
        widen(row_bytes_of(up, t), call.dtype, columns, y);
        silu_row(x, y, columns, call.dtype);
        narrow(x, columns, call.dtype, row_bytes_of(mlp, t));
    });
}

Status gate_up(const GateUpArgs& args, Stream& stream, Chosen products) {
    LOCKSTEP_TRY(check_dtypes(args, args.hidden_attn.dtype));
    const Call call(stream, args.hidden_attn.dtype, products);
    const Tensor up =
        call.workspace.tensor(Workspace::first, call.dtype, args.mlp.shape[0], args.mlp.shape[1]);
    const Tensor normed = rms_norm(call, args.hidden_attn, args.post_attention_layernorm,
                                   args.rms_norm_eps, args.normed);
    LOCKSTEP_TRY(call.linear(normed, args.gate_proj, Tensor(), args.mlp));
    LOCKSTEP_TRY(call.linear(normed, args.up_proj, Tensor(), up));
    multiply_silu(call, up, args.mlp);
    return {};
}

Status down(const DownArgs& args, Stream& stream, Chosen products) {
    LOCKSTEP_TRY(check_dtypes(args, args.mlp.dtype));
    const Call call(stream, args.mlp.dtype, products);
    LOCKSTEP_TRY(call.linear(args.mlp, args.down_proj, Tensor(), args.hidden));
    add_residual(call, args.hidden_attn, args.hidden);
    return {};
}

Status logits(const LogitsArgs& args, Stream& stream, Chosen products) {
    LOCKSTEP_TRY(check_dtypes(args, args.hidden.dtype));
    const Call call(stream, args.hidden.dtype, products);
    const Tensor normed = rms_norm(call, args.hidden, args.norm, args.rms_norm_eps, args.normed);
    return call.linear(normed, args.lm_head, Tensor(), args.logits);
}

}  // namespace

KernelPath make_cpu_reference_path(std::optional<Products> products) {
    // Each step as the path holds it: with this choice of products.
    const auto with = [products](auto step) {
        return [products, step](const auto& args, Stream& stream) {
            return step(args, stream, products);
        };
    };
    KernelPath path;
    path.name = "reference";
    path.writes_unfused_outputs = bit(StepId::qkv) | bit(StepId::gate_up) | bit(StepId::logits);
    path.embed = [](const EmbedArgs& args, Stream&) { return embed(args); };
    path.qkv = with(qkv);
    path.attention = with(reference_attention);
    path.attn_output = with(attn_output);
    path.gate_up = with(gate_up);
    path.down = with(down);
    path.logits = with(logits);
    return path;
}

KernelPath make_cpu_reference_path() {
    return make_cpu_reference_path(std::nullopt);
}

}  // namespace lockstep
