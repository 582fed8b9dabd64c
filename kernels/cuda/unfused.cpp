// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/unfused.h"

#include <algorithm>

#include "kernels/cuda/cublas.h"
#include "kernels/cuda/unfused_rows.h"

namespace lockstep::unfused {
namespace {

// Widened weights, scores and rounded logits are made so much at a time.
constexpr int64_t piece_bytes = int64_t{64} << 20;

Result<Tensor> room(CudaStream& stream, CudaStream::Slot slot, DType dtype, int64_t rows,
                    int64_t columns) {
    const auto bytes = static_cast<size_t>(dtype_bytes(dtype, rows * columns));
    LOCKSTEP_ASSIGN(void* const memory, stream.room(slot, bytes));
    return Tensor(memory, dtype, {rows, columns});
}

int64_t rows_in_a_piece(int64_t row_bytes, int64_t rows) {
    return std::clamp<int64_t>(piece_bytes / std::max<int64_t>(1, row_bytes), 1, rows);
}

Tensor columns_of(const Tensor& matrix, int64_t first, int64_t count) {
    Tensor view = matrix;
    view.data = matrix.as<char>() + dtype_bytes(matrix.dtype, first);
    view.shape[1] = count;
    return view;
}

// y = x weight^T
Status product(const Tensor& x, const Tensor& weight, const Tensor& y, CudaStream& stream) {
    Cublas& blas = stream.state<Cublas>();
    if (weight.dtype == x.dtype) return blas.linear(x, weight, y, false);
    const int64_t rows = weight.shape[0], depth = weight.shape[1];
    const int64_t step = rows_in_a_piece(depth * int64_t{sizeof(float)}, rows);
    for (int64_t first = 0; first < rows; first += step) {
        const int64_t count = std::min(step, rows - first);
        LOCKSTEP_ASSIGN(const Tensor wide,
                        room(stream, CudaStream::partials, x.dtype, count, depth));
        LOCKSTEP_TRY(convert(weight.rows(first, count), wide, stream));
        LOCKSTEP_TRY(blas.linear(x, wide, columns_of(y, first, count), false));
    }
    return {};
}

// y = x weight^T + bias, rounded once, as PyTorch's linear does. cuBLAS, asked to add to a bias
// that lies in a 16-bit y, rounds its sum before it adds: an error 1.15 times as large.
Status linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y,
              CudaStream& stream) {
    if (!bias.defined()) return product(x, weight, y, stream);
    LOCKSTEP_ASSIGN(const Tensor sums,
                    room(stream, CudaStream::scores, DType::f32, y.shape[0], y.shape[1]));
    LOCKSTEP_TRY(product(x, weight, sums, stream));
    return add_bias(sums, bias, y, stream);
}

// x normed: into `wanted` where the caller asks for it.
Result<Tensor> norm(const Tensor& x, const Tensor& weight, float eps, const Tensor& wanted,
                    CudaStream& stream) {
    Tensor normed = wanted;
    if (!normed.defined()) {
        LOCKSTEP_ASSIGN(normed, room(stream, CudaStream::normed, x.dtype, x.shape[0], x.shape[1]));
    }
    LOCKSTEP_TRY(rms_norm(x, weight, eps, normed, stream));
    return normed;
}

// Rows [first, first + count) of q attend through the heads of one group after the other.
Status attend(const AttentionArgs& args, int64_t first, int64_t count, int64_t keys,
              CudaStream& stream) {
    Cublas& blas = stream.state<Cublas>();
    const DType dtype = args.q.dtype;
    const int64_t heads = args.q.shape[1], dim = args.q.shape[2];
    const int64_t groups = args.k_cache.shape[1], ratio = heads / groups;
    LOCKSTEP_ASSIGN(void* const memory,
                    stream.room(CudaStream::scores,
                                static_cast<size_t>(dtype_bytes(dtype, heads * count * keys))));
    const Tensor scores(memory, dtype, {heads, count, keys});
    const Tensor q = args.q.rows(first, count), attn = args.attn.rows(first, count);
    const auto from_head = [&](const Tensor& tensor, int64_t elements) {
        return static_cast<void*>(tensor.as<char>() + dtype_bytes(dtype, elements));
    };
    const auto cached = [&](const Tensor& cache, int64_t group) {
        return BatchedMatrix{from_head(cache, group * cache.stride[1]), dtype, cache.stride[0], 0};
    };
    const auto scores_of = [&](int64_t head) {
        return BatchedMatrix{from_head(scores, head * count * keys), dtype, keys, count * keys};
    };
    for (int64_t group = 0; group < groups; ++group) {
        const int64_t head = group * ratio;
        LOCKSTEP_TRY(blas.multiply(
            count, keys, dim, {from_head(q, head * q.stride[1]), dtype, q.stride[0], q.stride[1]},
            cached(args.k_cache, group), Cublas::B::transposed, scores_of(head), ratio));
    }
    LOCKSTEP_TRY(softmax(scores, args.scale, args.context.position, first, stream));
    for (int64_t group = 0; group < groups; ++group) {
        const int64_t head = group * ratio;
        LOCKSTEP_TRY(blas.multiply(
            count, dim, keys, scores_of(head), cached(args.v_cache, group), Cublas::B::plain,
            {from_head(attn, head * dim), dtype, attn.stride[0], dim}, ratio));
    }
    return {};
}

}  // namespace

Status run_embed(const EmbedArgs& args, Stream& stream) {
    LOCKSTEP_TRY(cuda_stream(stream).enter());
    return embed(args.embed_tokens, args.ids, args.hidden, cuda_stream(stream));
}

Status run_qkv(const QkvArgs& args, Stream& any_stream) {
    CudaStream& stream = cuda_stream(any_stream);
    LOCKSTEP_TRY(stream.enter());
    const DType dtype = args.hidden.dtype;
    const int64_t rows = args.hidden.shape[0];
    LOCKSTEP_ASSIGN(const Tensor normed, norm(args.hidden, args.input_layernorm, args.rms_norm_eps,
                                              args.normed, stream));
    LOCKSTEP_ASSIGN(const Tensor q,
                    room(stream, CudaStream::first, dtype, rows, args.q_proj.shape[0]));
    LOCKSTEP_ASSIGN(const Tensor k,
                    room(stream, CudaStream::second, dtype, rows, args.k_proj.shape[0]));
    LOCKSTEP_ASSIGN(const Tensor v,
                    room(stream, CudaStream::third, dtype, rows, args.v_proj.shape[0]));
    LOCKSTEP_TRY(linear(normed, args.q_proj, args.q_bias, q, stream));
    LOCKSTEP_TRY(linear(normed, args.k_proj, args.k_bias, k, stream));
    LOCKSTEP_TRY(linear(normed, args.v_proj, args.v_bias, v, stream));
    LOCKSTEP_TRY(place(q, args.q_pre_rope, Tensor(), stream));
    LOCKSTEP_TRY(place(k, args.k_pre_rope, Tensor(), stream));
    const Angles angles{args.rope_cos, args.rope_sin, args.context.position};
    LOCKSTEP_TRY(rotate(q, angles, args.q, false, stream));
    LOCKSTEP_TRY(rotate(k, angles, args.k_cache, true, stream));
    return place(v, args.v_cache, args.context.position, stream);
}

Status run_attention(const AttentionArgs& args, Stream& any_stream) {
    CudaStream& stream = cuda_stream(any_stream);
    LOCKSTEP_TRY(stream.enter());
    const int64_t rows = args.q.shape[0];
    const int64_t keys = args.context.first_row + rows;
    const int64_t row_bytes = dtype_bytes(args.q.dtype, args.q.shape[1] * keys);
    const int64_t step = rows_in_a_piece(row_bytes, rows);
    for (int64_t first = 0; first < rows; first += step)
        LOCKSTEP_TRY(attend(args, first, std::min(step, rows - first), keys, stream));
    return {};
}

Status run_attn_output(const AttnOutputArgs& args, Stream& any_stream) {
    CudaStream& stream = cuda_stream(any_stream);
    LOCKSTEP_TRY(stream.enter());
    LOCKSTEP_TRY(linear(args.attn, args.o_proj, Tensor(), args.hidden_attn, stream));
    return add(args.hidden, args.hidden_attn, stream);
}

Status run_gate_up(const GateUpArgs& args, Stream& any_stream) {
    CudaStream& stream = cuda_stream(any_stream);
    LOCKSTEP_TRY(stream.enter());
    LOCKSTEP_ASSIGN(const Tensor normed, norm(args.hidden_attn, args.post_attention_layernorm,
                                              args.rms_norm_eps, args.normed, stream));
    LOCKSTEP_ASSIGN(const Tensor up, room(stream, CudaStream::first, args.mlp.dtype,
                                          args.mlp.shape[0], args.mlp.shape[1]));
    LOCKSTEP_TRY(linear(normed, args.gate_proj, Tensor(), args.mlp, stream));
    LOCKSTEP_TRY(linear(normed, args.up_proj, Tensor(), up, stream));
    return multiply_silu(up, args.mlp, stream);
}

Status run_down(const DownArgs& args, Stream& any_stream) {
    CudaStream& stream = cuda_stream(any_stream);
    LOCKSTEP_TRY(stream.enter());
    LOCKSTEP_TRY(linear(args.mlp, args.down_proj, Tensor(), args.hidden, stream));
    return add(args.hidden_attn, args.hidden, stream);
}

// Logits are stored in f32; a 16-bit reference rounds them first.
Status run_logits(const LogitsArgs& args, Stream& any_stream) {
    CudaStream& stream = cuda_stream(any_stream);
    LOCKSTEP_TRY(stream.enter());
    LOCKSTEP_ASSIGN(const Tensor normed,
                    norm(args.hidden, args.norm, args.rms_norm_eps, args.normed, stream));
    const DType dtype = args.hidden.dtype;
    if (dtype == DType::f32) return linear(normed, args.lm_head, Tensor(), args.logits, stream);
    const int64_t rows = args.logits.shape[0], vocab_size = args.logits.shape[1];
    const int64_t step = rows_in_a_piece(dtype_bytes(dtype, vocab_size), rows);
    for (int64_t first = 0; first < rows; first += step) {
        const int64_t count = std::min(step, rows - first);
        LOCKSTEP_ASSIGN(const Tensor narrow,
                        room(stream, CudaStream::first, dtype, count, vocab_size));
        LOCKSTEP_TRY(linear(normed.rows(first, count), args.lm_head, Tensor(), narrow, stream));
        LOCKSTEP_TRY(convert(narrow, args.logits.rows(first, count), stream));
    }
    return {};
}

}  // namespace lockstep::unfused
