// SPDX-License-Identifier: GPL-3.0-or-later
// One answer, from the prompt's tokens to the reason why it stopped.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "core/run/engine.h"
#include "core/run/stop_strings.h"
#include "core/text/utf8_stream.h"

namespace lockstep {

class Stopwatch {
  public:
    double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

class Answer {
  public:
    struct Inputs {
        Session& session;
        const LivePath& path;
        const GenerateRequest& request;
        const std::atomic<bool>& cancel;
        StepObserver* observer;
        const std::function<bool(const TokenEvent&)>& on_token;
        Stopwatch clock;  // started when the request came
    };
    // prompt_ids: not empty, fewer than the session's context.
    Answer(const Inputs& inputs, std::vector<int32_t> prompt_ids);
    Result<GenerateResult> run();

  private:
    Result<Tensor> prefill();
    Result<Tensor> forward(const LivePath::Current& current, std::span<const int32_t> tokens);
    // The next token from the logits; then why the answer ends with it, if it does.
    Result<std::optional<StopReason>> take(const Tensor& logits);
    std::string text_of(int32_t id);
    bool emit(int32_t id, std::string text);
    void note_path(const std::string& name);
    void finish(StopReason reason);

    Inputs in_;
    const Tokenizer& tokenizer_;
    GenerateResult result_;
    std::vector<int32_t> history_;  // prompt and answer
    std::vector<int32_t> end_ids_;
    Sampler sampler_;
    Utf8Stream utf8_;
    StopStrings stop_strings_;
    std::string last_path_;
};

// Every token that ends a text of this model: the config's, the tokenizer's, and the ends of a turn
// that chat models use besides (a GGUF names only one of them).
std::vector<int32_t> end_of_text_ids(const Model& model);

}  // namespace lockstep
