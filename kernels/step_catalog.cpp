// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/step_catalog.h"

#include <array>

namespace lockstep {
namespace {

// Indexed by StepId.
constexpr std::array<std::string_view, step_count> names{
    "embed", "qkv", "attention", "attn_output", "gate_up", "down", "logits"};

bool is_output(Role role) {
    return role == Role::output;
}

// The rows of a cache that the call appended.
Tensor appended(const Tensor& cache, const QkvArgs& args) {
    return cache.rows(args.context.first_row, args.hidden.shape[0]);
}

// attn [T, A*D] seen as [T, A, D], so that whoever walks the taps can tell heads apart.
Tensor by_heads(const Tensor& attn, const Tensor& q) {
    Tensor view = q;
    view.data = attn.data;
    view.dtype = attn.dtype;
    view.stride = {attn.stride[0], q.shape[2], 1, 0};
    return view;
}

}  // namespace

std::string_view step_name(StepId step) {
    return names[static_cast<size_t>(step)];
}

std::optional<StepId> step_from_name(std::string_view name) {
    for (size_t i = 0; i < names.size(); ++i) {
        if (names[i] == name) return static_cast<StepId>(i);
    }
    return std::nullopt;
}

int64_t StepShape::size(Axis axis) const {
    switch (axis) {
        case Axis::none:
            return 0;
        case Axis::T:
            return rows;
        case Axis::H:
            return hidden_size;
        case Axis::A:
            return num_attention_heads;
        case Axis::G:
            return num_key_value_heads;
        case Axis::D:
            return head_dim;
        case Axis::I:
            return intermediate_size;
        case Axis::V:
            return vocab_size;
        case Axis::C:
            return context;
        case Axis::A_D:
            return num_attention_heads * head_dim;
        case Axis::G_D:
            return num_key_value_heads * head_dim;
        case Axis::half_D:
            return head_dim / 2;
        case Axis::one:
            return 1;
    }
    return 0;
}

StepId step_id(const StepArgs& args) {
    return std::visit([](const auto& a) { return a.id; }, args);
}

StepContext& step_context(StepArgs& args) {
    return std::visit([](auto& a) -> StepContext& { return a.context; }, args);
}

const StepContext& step_context(const StepArgs& args) {
    return std::visit([](const auto& a) -> const StepContext& { return a.context; }, args);
}

std::vector<NamedTensor> step_tensors(const StepArgs& args) {
    std::vector<NamedTensor> tensors;
    std::visit(
        [&](const auto& a) {
            for (const auto& field : a.fields()) {
                const Tensor& tensor = a.*field.member;
                if (tensor.defined()) tensors.push_back({field.name, field.role, tensor});
            }
        },
        args);
    return tensors;
}

std::vector<NamedTensor> step_taps(const StepArgs& args, bool unfused) {
    std::vector<NamedTensor> taps;
    for (const NamedTensor& named : step_tensors(args)) {
        if (is_output(named.role)) taps.push_back(named);
    }
    if (const auto* qkv = std::get_if<QkvArgs>(&args)) {
        taps.push_back({"k", Role::output, appended(qkv->k_cache, *qkv)});
        taps.push_back({"v", Role::output, appended(qkv->v_cache, *qkv)});
    }
    if (const auto* attention = std::get_if<AttentionArgs>(&args))
        taps.front().tensor = by_heads(attention->attn, attention->q);
    if (!unfused) return taps;
    for (const NamedTensor& named : step_tensors(args)) {
        if (named.role == Role::unfused_output) taps.push_back(named);
    }
    return taps;
}

Status run_step(const KernelPath& path, const StepArgs& args, Stream& stream) {
    return std::visit(
        [&]<class Args>(const Args& a) -> Status {
            const StepFunction<Args>& step = path.step<Args>();
            if (step) return step(a, stream);
            return fail(ErrorKind::unsupported,
                        "path " + path.name + " has no step " + std::string(step_name(Args::id)));
        },
        args);
}

int64_t step_bytes(const StepArgs& args) {
    int64_t bytes = 0;
    for (const NamedTensor& named : step_tensors(args)) {
        if (named.role != Role::unfused_output && named.role != Role::state)
            bytes += named.tensor.bytes();
    }
    if (const auto* embed = std::get_if<EmbedArgs>(&args)) {
        const Tensor& table = embed->embed_tokens;
        bytes += table.rows(0, embed->ids.shape[0]).bytes() - table.bytes();
    }
    if (const auto* qkv = std::get_if<QkvArgs>(&args)) {
        bytes += appended(qkv->k_cache, *qkv).bytes() + appended(qkv->v_cache, *qkv).bytes();
        const Tensor& table = qkv->rope_cos;
        bytes += 2 * (table.rows(0, qkv->hidden.shape[0]).bytes() - table.bytes());
    }
    if (const auto* attention = std::get_if<AttentionArgs>(&args)) {
        const int64_t used = attention->context.first_row + attention->q.shape[0];
        bytes +=
            attention->k_cache.rows(0, used).bytes() + attention->v_cache.rows(0, used).bytes();
    }
    return bytes;
}

namespace {

int64_t product_flops(const Tensor& weight, int64_t rows) {
    return 2 * rows * weight.numel();
}

struct CountFlops {
    int64_t operator()(const EmbedArgs&) const { return 0; }
    int64_t operator()(const QkvArgs& a) const {
        const int64_t rows = a.hidden.shape[0];
        return product_flops(a.q_proj, rows) + product_flops(a.k_proj, rows) +
               product_flops(a.v_proj, rows);
    }
    int64_t operator()(const AttentionArgs& a) const {
        // Row t sees first_row + t + 1 keys, and each of them is multiplied with q and weighs a v.
        const int64_t rows = a.q.shape[0];
        const int64_t seen = rows * a.context.first_row + rows * (rows + 1) / 2;
        return 4 * seen * a.q.shape[1] * a.q.shape[2];
    }
    int64_t operator()(const AttnOutputArgs& a) const {
        return product_flops(a.o_proj, a.attn.shape[0]);
    }
    int64_t operator()(const GateUpArgs& a) const {
        const int64_t rows = a.hidden_attn.shape[0];
        return product_flops(a.gate_proj, rows) + product_flops(a.up_proj, rows);
    }
    int64_t operator()(const DownArgs& a) const {
        return product_flops(a.down_proj, a.mlp.shape[0]);
    }
    int64_t operator()(const LogitsArgs& a) const {
        return product_flops(a.lm_head, a.hidden.shape[0]);
    }
};

}  // namespace

int64_t step_flops(const StepArgs& args) {
    return std::visit(CountFlops{}, args);
}

}  // namespace lockstep
