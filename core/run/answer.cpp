// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/run/answer.h"

#include <algorithm>
#include <string_view>

namespace lockstep {

std::vector<int32_t> end_of_text_ids(const Model& model) {
    constexpr std::string_view ends_of_turn[] = {
        "<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>",
        "<|eom_id|>", "<|end|>",       "<end_of_turn>",   "</s>",
    };
    const Tokenizer& tokenizer = *model.tokenizer;
    std::vector<int32_t> ids = model.config.eos_token_ids;
    if (const auto id = tokenizer.eos_token_id()) ids.push_back(*id);
    for (const std::string_view piece : ends_of_turn) {
        const auto id = tokenizer.token_id(piece);
        if (id && tokenizer.is_control(*id)) ids.push_back(*id);
    }
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
}

Answer::Answer(const Inputs& inputs, std::vector<int32_t> prompt_ids)
    : in_(inputs),
      tokenizer_(*inputs.session.model().tokenizer),
      history_(prompt_ids),
      end_ids_(end_of_text_ids(inputs.session.model())),
      sampler_(inputs.request.sampling,
               static_cast<int32_t>(inputs.session.model().config.vocab_size)),
      stop_strings_(inputs.request.stop_strings) {
    history_.reserve(static_cast<size_t>(in_.session.context()) + 1);
    result_.prompt_ids = std::move(prompt_ids);
    result_.timings.prompt_tokens = static_cast<int64_t>(result_.prompt_ids.size());
}

Result<GenerateResult> Answer::run() {
    result_.timings.reused_tokens = in_.session.keep_common_prefix(result_.prompt_ids);
    std::optional<StopReason> stop;
    Result<Tensor> logits = prefill();
    result_.timings.prefill_seconds = in_.clock.seconds();
    while (logits) {
        LOCKSTEP_ASSIGN(stop, take(*logits));
        if (result_.output_ids.size() == 1)
            result_.timings.first_token_seconds = in_.clock.seconds();
        if (stop) break;
        logits = forward(in_.path.current(), std::span(history_).last(1));
    }
    if (!logits && logits.error().kind != ErrorKind::cancelled)
        return tl::unexpected<Error>(std::move(logits).error());
    finish(stop.value_or(StopReason::cancelled));
    return std::move(result_);
}

// The part of the prompt that the cache does not hold yet, batch by batch.
Result<Tensor> Answer::prefill() {
    std::span<const int32_t> rest =
        std::span(history_).subspan(static_cast<size_t>(result_.timings.reused_tokens));
    Result<Tensor> logits = Tensor();
    while (logits && !rest.empty()) {
        const LivePath::Current current = in_.path.current();
        const auto rows =
            std::min(rest.size(), static_cast<size_t>(in_.session.batch_rows(*current.path)));
        logits = forward(current, rest.first(rows));
        rest = rest.subspan(rows);
    }
    return logits;
}

Result<Tensor> Answer::forward(const LivePath::Current& current, std::span<const int32_t> tokens) {
    note_path(current.path->name);
    ForwardOptions options;
    options.cancel = &in_.cancel;
    options.observer = in_.observer;
    options.replay_key = current.version;
    return Forward::run(in_.session, *current.path, tokens, options);
}

Result<std::optional<StopReason>> Answer::take(const Tensor& logits) {
    const std::span<const float> row(logits.as<const float>(), static_cast<size_t>(logits.numel()));
    if (in_.request.top_logprobs > 0)
        result_.top_logprobs.push_back(top_logprobs(row, in_.request.top_logprobs));
    // A head may be wider than the vocabulary; its padding spells nothing.
    const auto spelled = std::min(row.size(), static_cast<size_t>(tokenizer_.vocab_size()));
    LOCKSTEP_ASSIGN(const int32_t id, sampler_.sample(row.first(spelled), history_));
    history_.push_back(id);
    result_.output_ids.push_back(id);
    if (std::binary_search(end_ids_.begin(), end_ids_.end(), id)) return StopReason::end_of_text;
    const bool goes_on = emit(id, stop_strings_.push(utf8_.push(text_of(id))));
    if (stop_strings_.stopped()) return StopReason::stop_string;
    if (!goes_on || in_.cancel) return StopReason::cancelled;
    if (static_cast<int64_t>(result_.output_ids.size()) == in_.request.max_tokens)
        return StopReason::max_tokens;
    if (static_cast<int64_t>(in_.session.tokens().size()) == in_.session.context())
        return StopReason::context_full;
    return std::nullopt;
}

// An answer in a chat begins a text (a sentencepiece model's first token loses its space); a raw
// prompt's continues one.
std::string Answer::text_of(int32_t id) {
    const bool begins_text = result_.output_ids.size() == 1 && !in_.request.messages.empty();
    return begins_text ? tokenizer_.decode(std::span(&id, 1)) : tokenizer_.token_bytes(id);
}

bool Answer::emit(int32_t id, std::string text) {
    result_.text += text;
    if (!in_.on_token) return true;
    const auto index = static_cast<int64_t>(result_.output_ids.size()) - 1;
    return in_.on_token({id, std::move(text), index, in_.clock.seconds()});
}

void Answer::note_path(const std::string& name) {
    if (name == last_path_) return;
    result_.path += (result_.path.empty() ? "" : ", then ") + name;
    last_path_ = name;
}

// What was held back, in case a code point or a stop string went on, is certain now.
void Answer::finish(StopReason reason) {
    result_.stop_reason = reason;
    result_.timings.output_tokens = static_cast<int64_t>(result_.output_ids.size());
    if (result_.timings.output_tokens > 0)
        result_.timings.decode_seconds = in_.clock.seconds() - result_.timings.first_token_seconds;
    if (stop_strings_.stopped()) return;
    std::string rest = stop_strings_.push(utf8_.finish());
    if (stop_strings_.stopped()) {
        result_.stop_reason = StopReason::stop_string;
    } else {
        rest += stop_strings_.finish();
    }
    if (!rest.empty()) emit(result_.output_ids.back(), std::move(rest));
}

}  // namespace lockstep
