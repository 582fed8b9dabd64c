// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/short_check.h"

#include <algorithm>
#include <string>

namespace lockstep {
namespace {

constexpr int steps_after_prompt = 1;
constexpr size_t checked_lengths[] = {5, 33};  // tokens

// Text that any tokenizer makes more than the longest prompt of.
std::string some_text() {
    std::string text;
    for (int i = 0; i < 8; ++i)
        text += "A kernel that passes its own test may still be wrong where it stands. ";
    return text;
}

}  // namespace

Result<Comparison> short_check(const ShortCheckRequest& request) {
    const std::vector<int32_t> ids = request.model->tokenizer->encode(some_text(), {});
    const auto room = request.model->config.max_position_embeddings - steps_after_prompt;
    CompareRequest compare;
    compare.model = request.model;
    compare.threads = request.threads;
    compare.decode_steps = steps_after_prompt;
    for (const size_t length : checked_lengths) {
        if (static_cast<int64_t>(length) <= room && length <= ids.size())
            compare.prompts.emplace_back(ids.begin(), ids.begin() + static_cast<int64_t>(length));
    }
    if (compare.prompts.empty())
        return fail(ErrorKind::unsupported, "the model's context is too short to check a path");
    compare.candidate = request.candidate;
    const DeviceKind device = device_of(*request.model).kind();
    compare.reference = compare.floor = *find_kernel_path(device, "reference");
    compare.truth = *find_kernel_path(device, "truth");
    compare.progress = request.progress;
    return compare_paths(compare);
}

}  // namespace lockstep
