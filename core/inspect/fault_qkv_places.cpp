// SPDX-License-Identifier: GPL-3.0-or-later
// Faults of qkv in where things stand: the angles of RoPE, and the rows of the cache.
#include <algorithm>
#include <utility>

#include "core/inspect/fault_edits.h"
#include "core/inspect/fault_formulas.h"
#include "core/inspect/fault_qkv.h"

namespace lockstep {
namespace {

// The call's arguments with angles of 0 at every position.
Result<QkvArgs> unrotated(QkvCall& call) {
    QkvArgs changed = call.args;
    LOCKSTEP_ASSIGN(changed.rope_cos, call.changed_copy("zero_cos", call.args.rope_cos, fill_ones));
    LOCKSTEP_ASSIGN(changed.rope_sin, call.changed_copy("zero_sin", call.args.rope_sin,
                                                        [](HostTensor& x) { scale_all(x, 0); }));
    return changed;
}

Status with_tables_of(QkvCall& call, const ModelConfig& config, int64_t offset) {
    QkvArgs changed = call.args;
    LOCKSTEP_ASSIGN(
        const FaultState::RopeTables tables,
        call.state.rope_tables(config, call.args.rope_cos.shape[0], offset, call.stream));
    changed.rope_cos = tables.cos;
    changed.rope_sin = tables.sin;
    return call.run(changed);
}

ModelConfig unscaled(ModelConfig config) {
    config.rope_scaling = {};
    config.rope_freq_factors.clear();
    return config;
}

}  // namespace

Status rotate(QkvCall& call, HostTensor& x, bool interleaved) {
    const int64_t position = call.args.context.first_row;
    LOCKSTEP_ASSIGN(const HostTensor cos, call.read(call.args.rope_cos.rows(position, x.rows)));
    LOCKSTEP_ASSIGN(const HostTensor sin, call.read(call.args.rope_sin.rows(position, x.rows)));
    rotate_heads(x, call.args.q.shape[2], cos, sin, interleaved);
    return {};
}

Status k_v_swapped(QkvCall& call) {
    QkvArgs changed = call.args;
    std::swap(changed.k_cache, changed.v_cache);
    return call.run(changed);
}

Status rope_missing(QkvCall& call) {
    LOCKSTEP_ASSIGN(const QkvArgs changed, unrotated(call));
    return call.run(changed);
}

Status k_rope_missing(QkvCall& call) {
    LOCKSTEP_TRY(call.run());
    LOCKSTEP_ASSIGN(QkvArgs changed, unrotated(call));
    LOCKSTEP_ASSIGN(changed.q, call.state.room("q", call.args.q, call.stream));
    return call.run(changed);
}

Status rope_interleaved(QkvCall& call) {
    LOCKSTEP_ASSIGN(const QkvArgs changed, unrotated(call));
    LOCKSTEP_TRY(call.run(changed));
    for (const Tensor& out : {call.args.q, appended(call.args, call.args.k_cache)}) {
        LOCKSTEP_ASSIGN(HostTensor x, call.read(out));
        LOCKSTEP_TRY(rotate(call, x, true));
        LOCKSTEP_TRY(call.write(x, out));
    }
    return {};
}

Status rope_wrong_sign(QkvCall& call) {
    QkvArgs changed = call.args;
    LOCKSTEP_ASSIGN(changed.rope_sin, call.changed_copy("sin", call.args.rope_sin,
                                                        [](HostTensor& x) { scale_all(x, -1); }));
    return call.run(changed);
}

Status rope_wrong_theta(QkvCall& call) {
    ModelConfig config = unscaled(call.config());
    config.rope_theta = config.rope_theta == 10000 ? 500000 : 10000;
    return with_tables_of(call, config, 0);
}

Status rope_scaling_ignored(QkvCall& call) {
    return with_tables_of(call, unscaled(call.config()), 0);
}

Status rope_position_off_by_one(QkvCall& call) {
    return with_tables_of(call, call.config(), 1);
}

// v is computed once more, as a k: its projection and its bias, rotated.
Status rope_on_v(QkvCall& call) {
    LOCKSTEP_TRY(call.run());
    QkvArgs changed = call.args;
    changed.k_proj = call.args.v_proj;
    changed.k_bias = call.args.v_bias;
    changed.k_cache = call.args.v_cache;
    changed.k_pre_rope = Tensor();
    LOCKSTEP_ASSIGN(changed.q, call.state.room("q", call.args.q, call.stream));
    LOCKSTEP_ASSIGN(changed.v_cache, call.state.room("v_cache", call.args.v_cache, call.stream));
    return call.run(changed);
}

Status cache_position_off_by_one(QkvCall& call) {
    const int64_t rows = call.args.hidden.shape[0];
    const std::pair<Tensor, HostTensor> none;
    std::array<std::pair<Tensor, HostTensor>, 2> caches{none, none};
    caches[0].first = appended(call.args, call.args.k_cache);
    caches[1].first = appended(call.args, call.args.v_cache);
    for (auto& [cache, held] : caches) {
        LOCKSTEP_ASSIGN(held, call.read(cache.rows(0, 1)));
    }
    LOCKSTEP_TRY(call.run());
    for (auto& [cache, held] : caches) {
        LOCKSTEP_TRY(call.change(cache, [&, first = &held](HostTensor& x) {
            std::copy_backward(x.row(0), x.row(rows - 1), x.row(rows));
            std::copy(first->row(0), first->row(1), x.row(0));
        }));
    }
    return {};
}

}  // namespace lockstep
