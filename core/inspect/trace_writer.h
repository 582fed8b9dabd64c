// SPDX-License-Identifier: GPL-3.0-or-later
// Runs a prompt through a path and writes every tap to a file: docs/trace-format.md.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <vector>

#include "core/model/model.h"
#include "kernels/kernel_path.h"

namespace lockstep {

struct TraceRequest {
    std::shared_ptr<const Model> model;
    int threads = 0;
    std::vector<int32_t> prompt;
    KernelPath path;
    int decode_steps = 0;
    // What the decode steps are fed: as many ids as there are steps, or none for the path's own
    // greedy choices.
    std::vector<int32_t> decode_ids;
    const std::atomic<bool>* cancel = nullptr;
};

// What was fed: prompt and decode steps.
struct TraceWritten {
    std::vector<int32_t> decode_ids;
    size_t tensors = 0;
};
Result<TraceWritten> write_trace(const TraceRequest& request, const std::filesystem::path& file);

}  // namespace lockstep
