// SPDX-License-Identifier: GPL-3.0-or-later
// The faults of qkv that stand in fault_qkv_places.cpp, and what both files use.
#pragma once

#include "core/inspect/fault_call.h"

namespace lockstep {

using QkvCall = FaultCall<QkvArgs>;

// The rows of a cache that the call appends.
inline Tensor appended(const QkvArgs& args, const Tensor& cache) {
    return cache.rows(args.context.first_row, args.hidden.shape[0]);
}

// Rotates x [T, heads * D] by the angles that the call was given for its rows.
Status rotate(QkvCall& call, HostTensor& x, bool interleaved);

Status k_v_swapped(QkvCall& call);
Status rope_missing(QkvCall& call);
Status k_rope_missing(QkvCall& call);
Status rope_interleaved(QkvCall& call);
Status rope_wrong_sign(QkvCall& call);
Status rope_wrong_theta(QkvCall& call);
Status rope_scaling_ignored(QkvCall& call);
Status rope_position_off_by_one(QkvCall& call);
Status rope_on_v(QkvCall& call);
Status cache_position_off_by_one(QkvCall& call);

}  // namespace lockstep
