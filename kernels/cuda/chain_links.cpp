// SPDX-License-Identifier: GPL-3.0-or-later
// What a step's arguments are as a link of a chain, and how its product is cut.
#include <algorithm>
#include <climits>
#include <cmath>

#include "kernels/cuda/chain.h"
#include "kernels/cuda/fused.h"
#include "kernels/cuda/fused_attention.cuh"

namespace lockstep::fused {
namespace {

bool chains(const CudaStream& stream, int64_t rows, DType dtype) {
    return rows == 1 && (dtype == DType::bf16 || dtype == DType::f16) && stream.has_clusters();
}

bool fits_int(int64_t value) {
    return value >= 0 && value <= INT_MAX;
}

template <class Dealt>
void deal(Dealt& link, int words, const CudaStream& stream) {
    link.words_each = words / stream.multiprocessors();
    link.more_words = words % stream.multiprocessors();
}

// Long rows are cut into pieces; a row's pitch is an odd number of 16 bytes, so that eight rows are
// read from different banks, and has room for whole steps of 32 columns: a last one is read whole.
bool plan(ProductLink& p, Link::Kind kind, const CudaStream& stream) {
    constexpr int element = 2;
    deal(p, p.units / p.word_units, stream);
    p.pieces = (p.depth + piece_columns - 1) / piece_columns;
    const int widest = std::min((p.depth + 31) / 32 * 32, piece_columns);
    p.pitch = widest * element + 16;
    p.inverse_depth = 1 / static_cast<float>(p.depth);
    if (kind == Link::Kind::logits) return p.pieces == 1;
    const int units = (p.words_each + (p.more_words > 0 ? 1 : 0)) * p.word_units;
    const int groups = (units * p.parts + stage_rows - 1) / stage_rows;
    return p.units % p.word_units == 0 && units <= multiplying_warps * 32 &&
           groups * stage_rows <= most_rows;
}

// Models up to this hidden_size gain: most of a layer's weights find room in the rings. In larger
// ones the weights' stream is all that counts, and many blocks that come and go keep it up better
// than one a multiprocessor, which waits for the slowest (docs/gpu-report-2026-11-29.md).
constexpr int64_t most_hidden_size = 1024;
constexpr int64_t most_depth = 8 * most_hidden_size;  // of attn_output's and down's rows

// Each attending warp has a tile of keys and one of values, with fused_attention.cuh's pitch.
void plan_stages(AttentionLink& a) {
    const int pair_bytes = 2 * 16 * (a.dim + 8) * 2, pairs = most_stage_bytes / pair_bytes;
    a.stage_bytes = pairs * pair_bytes;
    a.stages = (attending_warps + pairs - 1) / pairs;
}

// word_units: a rotated pair fills a word, two neighbours do.
ProductLink product(const Tensor& x, int64_t units, int parts, int word_units) {
    ProductLink p{};
    p.word_units = word_units;
    p.x = x.data;
    p.depth = static_cast<int>(x.shape[1]);
    p.units = static_cast<int>(units);
    p.parts = parts;
    return p;
}

bool has_room(const Link& link, const CudaStream& stream) {
    Room room;
    room.add(link);
    return room.stages(stream) > 0;
}

std::optional<Link> finished(Link::Kind kind, ProductLink p, const CudaStream& stream) {
    if (!plan(p, kind, stream)) return std::nullopt;
    Link link{};
    link.kind = kind;
    link.product = p;
    return has_room(link, stream) ? std::optional<Link>(link) : std::nullopt;
}

std::optional<Link> add_link_of(const Tensor& x, const Tensor& weight, const Tensor& residual,
                                const Tensor& out, const CudaStream& stream) {
    if (!chains(stream, x.shape[0], x.dtype) || !rows_aligned(x) || !rows_aligned(weight) ||
        x.shape[1] > most_depth || weight.shape[0] > most_hidden_size ||
        !fits_int(weight.stride[0]))
        return std::nullopt;
    ProductLink p = product(x, weight.shape[0], 1, 2);
    p.weight[0] = weight.data;
    p.weight_stride[0] = static_cast<int>(weight.stride[0]);
    p.residual = residual.data;
    p.out[0] = out.data;
    return finished(Link::Kind::add, p, stream);
}

bool normed_rows(const Tensor& x, const Tensor& norm, const CudaStream& stream) {
    return chains(stream, x.shape[0], x.dtype) && rows_aligned(x) && rows_aligned(norm) &&
           x.shape[1] <= most_hidden_size;
}

}  // namespace

std::optional<Link> link_of(const EmbedArgs& args, const CudaStream& stream) {
    const Tensor &table = args.embed_tokens, &hidden = args.hidden;
    if (!chains(stream, hidden.shape[0], hidden.dtype) || !rows_aligned(table) ||
        !rows_aligned(hidden) || hidden.shape[1] > most_hidden_size || !fits_int(table.shape[0]))
        return std::nullopt;
    Link link{};
    link.kind = Link::Kind::embed;
    EmbedLink& e = link.embed;
    e.table = table.data;
    e.id = args.ids.as<const int32_t>();
    e.hidden = hidden.data;
    e.stride = table.stride[0];
    e.vocab_size = static_cast<int>(table.shape[0]);
    e.depth = static_cast<int>(hidden.shape[1]);
    deal(e, e.depth / 2, stream);
    if ((e.words_each + 1) * 2 > multiplying_warps * 32) return std::nullopt;
    return link;
}

std::optional<Link> link_of(const LogitsArgs& args, const CudaStream& stream) {
    const Tensor& head = args.lm_head;
    if (!normed_rows(args.hidden, args.norm, stream) || !rows_aligned(head) ||
        !fits_int(head.shape[0]) || !fits_int(head.stride[0]))
        return std::nullopt;
    ProductLink p = product(args.hidden, head.shape[0], 1, 1);
    while (p.word_units < stage_rows && p.units % (2 * p.word_units) == 0) p.word_units *= 2;
    p.norm = args.norm.data;
    p.eps = args.rms_norm_eps;
    p.weight[0] = head.data;
    p.weight_stride[0] = static_cast<int>(head.stride[0]);
    p.out[0] = args.logits.data;
    return finished(Link::Kind::logits, p, stream);
}

std::optional<Link> link_of(const AttnOutputArgs& args, const CudaStream& stream) {
    return add_link_of(args.attn, args.o_proj, args.hidden, args.hidden_attn, stream);
}

std::optional<Link> link_of(const DownArgs& args, const CudaStream& stream) {
    return add_link_of(args.mlp, args.down_proj, args.hidden_attn, args.hidden, stream);
}

std::optional<Link> link_of(const GateUpArgs& args, const CudaStream& stream) {
    if (!normed_rows(args.hidden_attn, args.post_attention_layernorm, stream)) return std::nullopt;
    ProductLink p = product(args.hidden_attn, args.gate_proj.shape[0], 2, 2);
    p.norm = args.post_attention_layernorm.data;
    p.eps = args.rms_norm_eps;
    const Tensor* const weights[] = {&args.gate_proj, &args.up_proj};
    for (int i = 0; i < 2; ++i) {
        if (!rows_aligned(*weights[i]) || !fits_int(weights[i]->stride[0])) return std::nullopt;
        p.weight[i] = weights[i]->data;
        p.weight_stride[i] = static_cast<int>(weights[i]->stride[0]);
    }
    p.out[0] = args.mlp.data;
    return finished(Link::Kind::gated, p, stream);
}

std::optional<Link> link_of(const QkvArgs& args, const CudaStream& stream) {
    if (!normed_rows(args.hidden, args.input_layernorm, stream)) return std::nullopt;
    const int64_t queries = args.q.shape[1], groups = args.k_cache.shape[1], dim = args.q.shape[2];
    ProductLink p = product(args.hidden, (queries + 2 * groups) * dim / 2, 2, 1);
    p.norm = args.input_layernorm.data;
    p.eps = args.rms_norm_eps;
    const Tensor* const weights[] = {&args.q_proj, &args.k_proj, &args.v_proj};
    const Tensor* const biases[] = {&args.q_bias, &args.k_bias, &args.v_bias};
    const Tensor* const outs[] = {&args.q, &args.k_cache, &args.v_cache};
    for (int i = 0; i < 3; ++i) {
        if (!rows_aligned(*weights[i]) || !fits_int(weights[i]->stride[0]) ||
            !fits_int(outs[i]->stride[0]) || !fits_int(outs[i]->stride[1]))
            return std::nullopt;
        p.weight[i] = weights[i]->data;
        p.weight_stride[i] = static_cast<int>(weights[i]->stride[0]);
        p.bias[i] = biases[i]->data;
        p.out[i] = outs[i]->data;
        p.out_stride[i] = static_cast<int>(outs[i]->stride[0]);
        p.head_stride[i] = static_cast<int>(outs[i]->stride[1]);
    }
    if (!fits_int(args.rope_cos.stride[0]) || !fits_int(args.rope_sin.stride[0]))
        return std::nullopt;
    p.first_k = static_cast<int>(queries);
    p.first_v = static_cast<int>(queries + groups);
    p.dim = static_cast<int>(dim);
    p.half_inverse = 0xffffffffU / static_cast<unsigned>(dim / 2) + 1;
    p.cosine = args.rope_cos.as<const float>();
    p.sine = args.rope_sin.as<const float>();
    p.cosine_stride = static_cast<int>(args.rope_cos.stride[0]);
    p.sine_stride = static_cast<int>(args.rope_sin.stride[0]);
    p.position = args.context.position.as<const int32_t>();
    return finished(Link::Kind::heads, p, stream);
}

// Heads as wide as the hidden size are: where the steps around it are no links, alone it is slower
// than fused_attention_decode.cu.
Result<std::optional<Link>> link_of(const AttentionArgs& args, CudaStream& stream) {
    const int64_t groups = args.k_cache.shape[1], dim = args.q.shape[2];
    const int64_t ratio = args.q.shape[1] / groups;
    const bool built = dim == 32 || dim == 64 || dim == 80 || dim == 96 || dim == 128;
    if (!chains(stream, args.q.shape[0], args.q.dtype) || !built || ratio > 16 ||
        args.q.shape[1] * dim > most_hidden_size || groups > stream.multiprocessors() ||
        !heads_aligned(args.q) || !heads_aligned(args.k_cache) || !heads_aligned(args.v_cache) ||
        !fits_int(args.k_cache.stride[0]) || !fits_int(args.v_cache.stride[0]))
        return std::optional<Link>();
    Link link{};
    link.kind = Link::Kind::attention;
    AttentionLink& a = link.attention;
    a.dim = static_cast<int>(dim);
    plan_stages(a);
    if (!has_room(link, stream)) return std::optional<Link>();
    const auto words = static_cast<size_t>(stream.multiprocessors() / groups * groups * ratio) *
                       static_cast<size_t>(dim + 2);
    LOCKSTEP_ASSIGN(void* const partials,
                    stream.room(CudaStream::exchanged_parts, words * sizeof(uint64_t)));
    a.partials = static_cast<uint64_t*>(partials);
    a.q = args.q.data;
    a.k = args.k_cache.data;
    a.v = args.v_cache.data;
    a.attn = args.attn.data;
    a.position = args.context.position.as<const int32_t>();
    a.scale_log2 = args.scale * static_cast<float>(M_LOG2E);
    a.groups = static_cast<int>(groups);
    a.ratio = static_cast<int>(ratio);
    a.q_stride = static_cast<int>(args.q.stride[1]);
    a.k_stride = static_cast<int>(args.k_cache.stride[0]);
    a.v_stride = static_cast<int>(args.v_cache.stride[0]);
    a.k_head_stride = static_cast<int>(args.k_cache.stride[1]);
    a.v_head_stride = static_cast<int>(args.v_cache.stride[1]);
    return std::optional<Link>(link);
}

}  // namespace lockstep::fused
