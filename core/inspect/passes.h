// SPDX-License-Identifier: GPL-3.0-or-later
// How a prompt and what follows it is cut into passes: pass 0 is the prefill (in batches, where it
// does not fit one), pass n the n-th decode step. Comparison and trace go the same way.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>

#include "core/inspect/comparison.h"
#include "core/run/session.h"

namespace lockstep {

// Logits of every row of a prefill are kept as long as they take no more than this, else the last
// row's of each batch.
inline constexpr int64_t all_logits_bytes = 96 << 20;
inline bool keeps_all_logits(const ModelConfig& config, int64_t prompt_rows) {
    return prompt_rows * config.vocab_size * int64_t{sizeof(float)} <= all_logits_bytes;
}

// Refuses an empty prompt, and one that does not fit the model's context with what is to follow.
inline Status check_length(const Model& model, size_t prompt_tokens, int decode_steps) {
    if (prompt_tokens == 0) return fail(ErrorKind::invalid_argument, "the prompt has no tokens");
    const auto length = static_cast<int64_t>(prompt_tokens) + decode_steps;
    if (length <= model.config.max_position_embeddings) return {};
    return fail(ErrorKind::invalid_argument,
                "the prompt has " + std::to_string(prompt_tokens) + " tokens and " +
                    std::to_string(decode_steps) + " are to follow, but " + model.name +
                    " has a context of " + std::to_string(model.config.max_position_embeddings));
}

// A session of the request's model that a step of ours ends in when the request is cancelled.
inline Result<std::unique_ptr<Session>> comparison_session(const CompareRequest& request,
                                                           int64_t context) {
    Device& device = device_of(*request.model);
    LOCKSTEP_ASSIGN(std::unique_ptr<Session> made,
                    Session::create(request.model, device, request.threads, context));
    made->stream().stop_when(request.cancel);
    return made;
}

// The largest of the last row; logits f32 [rows, V].
inline int32_t greedy(const Tensor& logits) {
    const auto vocab_size = static_cast<size_t>(logits.shape[1]);
    const float* const last = logits.rows(logits.shape[0] - 1, 1).as<float>();
    return static_cast<int32_t>(std::max_element(last, last + vocab_size) - last);
}

// Calls body(pass, batch) for the prefill's batches and for each decode step.
template <class Body>
Status for_each_pass(const Session& session, std::span<const int32_t> prompt,
                     std::span<const int32_t> forced, const Body& body) {
    const auto count = static_cast<int64_t>(prompt.size());
    for (int64_t first = 0; first < count; first += session.max_batch()) {
        const int64_t rows = std::min(session.max_batch(), count - first);
        LOCKSTEP_TRY(
            body(0, prompt.subspan(static_cast<size_t>(first), static_cast<size_t>(rows))));
    }
    for (size_t step = 0; step < forced.size(); ++step)
        LOCKSTEP_TRY(body(static_cast<int>(step) + 1, forced.subspan(step, 1)));
    return {};
}

}  // namespace lockstep
