// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/user/abi.h"

#include <algorithm>

namespace lockstep {
namespace {

// What lies between the context and what follows the tensors.
template <class C>
struct Layout;
#define LOCKSTEP_ABI_LAYOUT(Struct, first, last)                                              \
    template <>                                                                               \
    struct Layout<Struct> {                                                                   \
        static_assert(offsetof(Struct, first) == sizeof(lockstep_context));                   \
        static constexpr size_t tensors =                                                     \
            (offsetof(Struct, last) - offsetof(Struct, first)) / sizeof(lockstep_tensor) + 1; \
        static_assert(tensors <= max_abi_tensors && sizeof(Struct) <= max_abi_args_bytes);    \
    }
LOCKSTEP_ABI_LAYOUT(lockstep_embed_args, ids, hidden);
LOCKSTEP_ABI_LAYOUT(lockstep_qkv_args, hidden, k_pre_rope);
LOCKSTEP_ABI_LAYOUT(lockstep_attention_args, q, attn);
LOCKSTEP_ABI_LAYOUT(lockstep_attn_output_args, attn, hidden_attn);
LOCKSTEP_ABI_LAYOUT(lockstep_gate_up_args, hidden_attn, normed);
LOCKSTEP_ABI_LAYOUT(lockstep_down_args, mlp, hidden);
LOCKSTEP_ABI_LAYOUT(lockstep_logits_args, hidden, normed);
#undef LOCKSTEP_ABI_LAYOUT

struct StructSize {
    size_t bytes, tensors;
};
template <class C>
constexpr StructSize size_of{sizeof(C), Layout<C>::tensors};

// Indexed by StepId.
constexpr std::array<StructSize, step_count> sizes{
    size_of<lockstep_embed_args>,     size_of<lockstep_qkv_args>,
    size_of<lockstep_attention_args>, size_of<lockstep_attn_output_args>,
    size_of<lockstep_gate_up_args>,   size_of<lockstep_down_args>,
    size_of<lockstep_logits_args>,
};

void set_numbers(AbiCall& call, const QkvArgs& args) {
    reinterpret_cast<lockstep_qkv_args*>(call.args.data())->rms_norm_eps = args.rms_norm_eps;
}
void set_numbers(AbiCall& call, const AttentionArgs& args) {
    reinterpret_cast<lockstep_attention_args*>(call.args.data())->scale = args.scale;
}
void set_numbers(AbiCall& call, const GateUpArgs& args) {
    reinterpret_cast<lockstep_gate_up_args*>(call.args.data())->rms_norm_eps = args.rms_norm_eps;
}
void set_numbers(AbiCall& call, const LogitsArgs& args) {
    reinterpret_cast<lockstep_logits_args*>(call.args.data())->rms_norm_eps = args.rms_norm_eps;
}
void set_numbers(AbiCall&, const EmbedArgs&) {}
void set_numbers(AbiCall&, const AttnOutputArgs&) {}
void set_numbers(AbiCall&, const DownArgs&) {}

}  // namespace

size_t abi_tensor_count(uint32_t step) {
    return step < sizes.size() ? sizes[step].tensors : 0;
}

size_t abi_args_bytes(uint32_t step) {
    return step < sizes.size() ? sizes[step].bytes : 0;
}

std::span<lockstep_tensor> AbiCall::tensors() {
    auto* const first = reinterpret_cast<lockstep_tensor*>(args.data() + sizeof(lockstep_context));
    return {first, abi_tensor_count(step)};
}

lockstep_tensor to_abi(const Tensor& tensor) {
    lockstep_tensor out{};
    out.data = tensor.data;
    out.dtype = static_cast<int32_t>(tensor.dtype);
    out.rank = tensor.rank;
    static_assert(Tensor::max_rank == sizeof(out.shape) / sizeof(out.shape[0]));
    std::copy(tensor.shape.begin(), tensor.shape.end(), out.shape);
    std::copy(tensor.stride.begin(), tensor.stride.end(), out.stride);
    return out;
}

template <class Args>
AbiCall to_abi(const Args& args, int threads, bool unfused_outputs) {
    AbiCall call;
    call.step = static_cast<uint32_t>(Args::id);
    call.bytes = static_cast<uint32_t>(abi_args_bytes(call.step));
    lockstep_context& context = call.context();
    context.struct_size = call.bytes;
    context.device = LOCKSTEP_CPU;
    context.threads = threads;
    context.layer = args.context.layer;
    context.first_row = args.context.first_row;
    context.position = to_abi(args.context.position);
    lockstep_tensor* out = call.tensors().data();
    for (const TensorField<Args>& field : Args::fields()) {
        const bool left_out = field.role == Role::unfused_output && !unfused_outputs;
        *out++ = left_out ? lockstep_tensor{} : to_abi(args.*field.member);
    }
    set_numbers(call, args);
    return call;
}

template AbiCall to_abi(const EmbedArgs&, int, bool);
template AbiCall to_abi(const QkvArgs&, int, bool);
template AbiCall to_abi(const AttentionArgs&, int, bool);
template AbiCall to_abi(const AttnOutputArgs&, int, bool);
template AbiCall to_abi(const GateUpArgs&, int, bool);
template AbiCall to_abi(const DownArgs&, int, bool);
template AbiCall to_abi(const LogitsArgs&, int, bool);

}  // namespace lockstep
