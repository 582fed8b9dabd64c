// SPDX-License-Identifier: GPL-3.0-or-later
// Faults of embed and of logits.
#include <cmath>
#include <vector>

#include "core/inspect/fault_edits.h"

namespace lockstep {
namespace {

using Embed = FaultCall<EmbedArgs>;
using Logits = FaultCall<LogitsArgs>;

Status embed_row_shifted(Embed& call) {
    std::vector<int32_t> ids(static_cast<size_t>(call.args.ids.shape[0]));
    Device& device = call.stream.device();
    const size_t bytes = ids.size() * sizeof(int32_t);
    LOCKSTEP_TRY(device.copy_to_host(ids.data(), call.args.ids.data, bytes, call.stream));
    LOCKSTEP_TRY(call.stream.synchronize());
    const auto last = static_cast<int32_t>(call.args.embed_tokens.shape[0] - 1);
    for (int32_t& id : ids) id = std::min(id + 1, last);
    EmbedArgs changed = call.args;
    LOCKSTEP_ASSIGN(changed.ids, call.state.room("ids", call.args.ids, call.stream));
    LOCKSTEP_TRY(device.copy_from_host(changed.ids.data, ids.data(), bytes, call.stream));
    LOCKSTEP_TRY(call.stream.synchronize());
    return call.run(changed);
}

Status embed_scaled(Embed& call) {
    LOCKSTEP_TRY(call.run());
    const float factor = std::sqrt(static_cast<float>(call.args.hidden.shape[1]));
    return call.change(call.args.hidden, [&](HostTensor& hidden) { scale_all(hidden, factor); });
}

Status embed_tail_columns_skipped(Embed& call) {
    LOCKSTEP_TRY(call.run());
    return call.change(call.args.hidden, zero_tail_columns);
}

// norm(hidden) with a weight of 1 is hidden over its size, and the head is linear: what it puts out
// is multiplied by that size again.
Status final_norm_missing(Logits& call) {
    LogitsArgs changed = call.args;
    changed.rms_norm_eps = 0;
    LOCKSTEP_ASSIGN(changed.norm, call.changed_weight("norm", call.args.norm, fill_ones));
    LOCKSTEP_TRY(call.run(changed));
    LOCKSTEP_ASSIGN(const HostTensor hidden, call.read(call.args.hidden));
    if (call.args.normed.defined()) LOCKSTEP_TRY(call.write(hidden, call.args.normed));
    return call.change(call.args.logits, [&](HostTensor& logits) {
        for (int64_t t = 0; t < logits.rows; ++t) {
            double squares = 0;
            for (int64_t i = 0; i < hidden.columns; ++i)
                squares += static_cast<double>(hidden.row(t)[i]) * hidden.row(t)[i];
            const double size = std::sqrt(squares / static_cast<double>(hidden.columns));
            for (int64_t n = 0; n < logits.columns; ++n)
                logits.row(t)[n] = static_cast<float>(logits.row(t)[n] * size);
        }
    });
}

Status final_norm_weight_ignored(Logits& call) {
    LogitsArgs changed = call.args;
    LOCKSTEP_ASSIGN(changed.norm, call.changed_weight("norm", call.args.norm, fill_ones));
    return call.run(changed);
}

Status wrong_head(Logits& call) {
    LOCKSTEP_TRY(call.run());
    return call.change(call.args.logits, [](HostTensor& logits) {
        for (int64_t t = 0; t < logits.rows; ++t)
            std::copy(logits.row(t) + 1, logits.row(t) + logits.columns, logits.row(t));
    });
}

Status lm_head_is_embed_tokens(Logits& call) {
    LogitsArgs changed = call.args;
    changed.lm_head = call.state.model->weights.embed_tokens;
    return call.run(changed);
}

Status logits_tail_columns_skipped(Logits& call) {
    LOCKSTEP_TRY(call.run());
    return call.change(call.args.logits, zero_tail_columns);
}

constexpr auto of_embed = std::to_array<NamedAct<EmbedArgs>>({
    {"embed_row_shifted", embed_row_shifted},
    {"embed_scaled", embed_scaled},
    {"embed_tail_columns_skipped", embed_tail_columns_skipped},
});

constexpr auto of_logits = std::to_array<NamedAct<LogitsArgs>>({
    {"final_norm_missing", final_norm_missing},
    {"final_norm_weight_ignored", final_norm_weight_ignored},
    {"wrong_head", wrong_head},
    {"lm_head_is_embed_tokens", lm_head_is_embed_tokens},
    {"logits_tail_columns_skipped", logits_tail_columns_skipped},
});

}  // namespace

std::span<const NamedAct<EmbedArgs>> embed_faults() {
    return of_embed;
}
std::span<const NamedAct<LogitsArgs>> logits_faults() {
    return of_logits;
}

}  // namespace lockstep
