// SPDX-License-Identifier: GPL-3.0-or-later
// Faults of attention.
#include <array>

#include "core/inspect/fault_edits.h"
#include "core/inspect/probe.h"

namespace lockstep {
namespace {

using AttentionCall = FaultCall<AttentionArgs>;

Status softmax_scale_wrong(AttentionCall& call) {
    AttentionArgs changed = call.args;
    changed.scale = 1 / static_cast<float>(call.args.q.shape[2]);
    return call.run(changed);
}

Status softmax_scale_missing(AttentionCall& call) {
    AttentionArgs changed = call.args;
    changed.scale = 1;
    return call.run(changed);
}

// Rows [first, first + count), the first of which sees `keys` keys and each further one a key more.
Status attend(AttentionCall& call, int64_t first, int64_t count, int64_t keys) {
    AttentionArgs changed = call.args;
    changed.q = call.args.q.rows(first, count);
    changed.attn = call.args.attn.rows(first, count);
    changed.context.first_row = keys - 1;
    LOCKSTEP_ASSIGN(changed.context.position,
                    call.state.room("position", Tensor(nullptr, DType::i32, {1}), call.stream));
    const auto position = static_cast<int32_t>(keys - 1);
    LOCKSTEP_TRY(call.stream.device().copy_from_host(changed.context.position.data, &position,
                                                     sizeof position, call.stream));
    LOCKSTEP_TRY(call.run(changed));
    return call.stream.synchronize();  // the next rows have another position in the same memory
}

// keys_of(n) of the n keys that a row should see.
template <class KeysOf>
Status attend_row_by_row(AttentionCall& call, const KeysOf& keys_of) {
    for (int64_t t = 0; t < call.args.q.shape[0]; ++t)
        LOCKSTEP_TRY(attend(call, t, 1, keys_of(call.args.context.first_row + t + 1)));
    return {};
}

Status causal_mask_missing(AttentionCall& call) {
    const int64_t all = call.args.context.first_row + call.args.q.shape[0];
    return attend_row_by_row(call, [all](int64_t) { return all; });
}

Status causal_mask_off_by_one(AttentionCall& call) {
    const int64_t rows = call.args.q.shape[0], position = call.args.context.first_row;
    if (position > 0) return attend(call, 0, rows, position);
    LOCKSTEP_TRY(attend(call, 0, 1, 1));
    return rows > 1 ? attend(call, 1, rows - 1, 1) : Status();
}

Status tail_keys_skipped(AttentionCall& call) {
    return attend_row_by_row(call, [](int64_t n) { return n < 8 ? n : n / 8 * 8; });
}

// The heads of each row in another order: head a of `to` is head order(a) of `from`.
template <class Order>
Status reorder_heads(AttentionCall& call, const Tensor& from, const Tensor& to,
                     const Order& order) {
    const int64_t head_dim = call.args.q.shape[2], heads = call.args.q.shape[1];
    LOCKSTEP_ASSIGN(const HostTensor old, call.read(from));
    HostTensor moved = old;
    for (int64_t t = 0; t < old.rows; ++t) {
        for (int64_t a = 0; a < heads; ++a)
            std::copy_n(old.row(t) + order(a) * head_dim, head_dim, moved.row(t) + a * head_dim);
    }
    return call.write(moved, to);
}

// The step maps head a to key head a / (A / G): the heads are put where that gives a mod G.
Status grouped_head_map_wrong(AttentionCall& call) {
    const int64_t groups = call.args.k_cache.shape[1];
    const int64_t per_group = call.args.q.shape[1] / groups;
    AttentionArgs changed = call.args;
    LOCKSTEP_ASSIGN(changed.q, call.state.room("q", call.args.q, call.stream));
    LOCKSTEP_TRY(reorder_heads(call, call.args.q, changed.q, [&](int64_t place) {
        return place % per_group * groups + place / per_group;
    }));
    LOCKSTEP_TRY(call.run(changed));
    return reorder_heads(call, call.args.attn, call.args.attn,
                         [&](int64_t a) { return a % groups * per_group + a / groups; });
}

Tensor by_key_head(Tensor cache) {
    cache.stride = {cache.shape[2], cache.shape[0] * cache.shape[2], 1, 0};
    return cache;
}

Status cache_layout_wrong(AttentionCall& call) {
    AttentionArgs changed = call.args;
    const std::array<std::pair<Tensor*, const char*>, 2> caches{
        {{&changed.k_cache, "k_cache"}, {&changed.v_cache, "v_cache"}}};
    for (const auto& [cache, name] : caches) {
        if (!cache->contiguous()) {
            LOCKSTEP_ASSIGN(const Tensor dense, call.state.room(name, *cache, call.stream));
            LOCKSTEP_TRY(copy_contiguous(*cache, dense.data, call.stream));
            *cache = dense;
        }
        *cache = by_key_head(*cache);
    }
    return call.run(changed);
}

Status v_cache_is_k_cache(AttentionCall& call) {
    AttentionArgs changed = call.args;
    changed.v_cache = call.args.k_cache;
    return call.run(changed);
}

Status attn_heads_transposed(AttentionCall& call) {
    LOCKSTEP_TRY(call.run());
    const int64_t heads = call.args.q.shape[1], head_dim = call.args.q.shape[2];
    return call.change(call.args.attn, [&](HostTensor& attn) {
        const HostTensor right = attn;
        for (int64_t t = 0; t < attn.rows; ++t) {
            for (int64_t a = 0; a < heads; ++a) {
                for (int64_t d = 0; d < head_dim; ++d)
                    attn.row(t)[d * heads + a] = right.row(t)[a * head_dim + d];
            }
        }
    });
}

Status attn_output_stale(AttentionCall& call) {
    return put_out_previous(call, call.args.attn);
}

constexpr auto of_attention = std::to_array<NamedAct<AttentionArgs>>({
    {"softmax_scale_wrong", softmax_scale_wrong},
    {"softmax_scale_missing", softmax_scale_missing},
    {"causal_mask_missing", causal_mask_missing},
    {"causal_mask_off_by_one", causal_mask_off_by_one},
    {"tail_keys_skipped", tail_keys_skipped},
    {"grouped_head_map_wrong", grouped_head_map_wrong},
    {"cache_layout_wrong", cache_layout_wrong},
    {"v_cache_is_k_cache", v_cache_is_k_cache},
    {"attn_heads_transposed", attn_heads_transposed},
    {"attn_output_stale", attn_output_stale},
});

}  // namespace

std::span<const NamedAct<AttentionArgs>> attention_faults() {
    return of_attention;
}

}  // namespace lockstep
