// SPDX-License-Identifier: GPL-3.0-or-later
// Which tensors a config asks for, what files call them, and where they go in memory: one buffer
// per layer and one for the rest, every tensor on a 64-byte border, q, k, v and gate, up side by
// side.
#pragma once

#include <string>
#include <vector>

#include "core/model/config.h"
#include "core/model/weights.h"

namespace lockstep {

struct WeightSlot {
    std::string name;       // transformers': "model.layers.0.self_attn.q_proj.weight"
    std::string gguf_name;  // ggml's: "blk.0.attn_q.weight"
    std::vector<int64_t> shape;
    Tensor* tensor = nullptr;  // into the Weights that were planned
    int64_t heads = 0;         // of q and k: how many their rows belong to; else 0
    size_t offset = 0;         // in the group's buffer
};

struct WeightGroup {
    std::vector<WeightSlot> slots;
    size_t bytes = 0;
};

// Sizes weights.layers; the slots point into `weights`, which must stay where it is.
std::vector<WeightGroup> plan_weights(const ModelConfig& config, DType dtype, Weights& weights);

// Bytes that the buffers of a plan take together.
int64_t planned_bytes(const std::vector<WeightGroup>& groups);

}  // namespace lockstep
