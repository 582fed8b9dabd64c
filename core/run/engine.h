// SPDX-License-Identifier: GPL-3.0-or-later
// Conducts: load, generate, cancel. Used from one thread (the worker's), except for cancel(),
// set_path() and path(), which any thread may call at any time.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/model/model_loader.h"
#include "core/run/forward.h"
#include "core/run/path_choice.h"
#include "core/run/sampler.h"
#include "core/run/session.h"

namespace lockstep {

enum class StopReason { end_of_text, stop_string, max_tokens, context_full, cancelled };
std::string_view stop_reason_name(StopReason reason);  // "end_of_text", ...

struct GenerateRequest {
    std::vector<ChatMessage> messages;  // templated; or
    std::string raw_prompt;             // used as it is where messages is empty
    bool raw_control = false;           // control tokens written in raw_prompt are control
    SamplingOptions sampling;
    std::vector<std::string> stop_strings;
    int64_t max_tokens = 0;  // 0: until the context is full
    int top_logprobs = 0;    // per token, kept in the result
};

struct TokenEvent {
    int32_t id = 0;
    std::string text;    // whole code points that became certain; may be empty
    int64_t index = 0;   // of the token in the answer; the last comes twice if text was held back
    double seconds = 0;  // since generate() began
};

struct Timings {
    int64_t prompt_tokens = 0;
    int64_t reused_tokens = 0;  // of the prompt, still in the cache
    int64_t output_tokens = 0;
    double prefill_seconds = 0;
    double decode_seconds = 0;  // from the first token to the last
    double first_token_seconds = 0;
};

struct GenerateResult {
    std::vector<int32_t> prompt_ids;
    std::vector<int32_t> output_ids;  // an end-of-text token that ended the answer included
    std::string text;                 // without that token, and up to a stop string
    StopReason stop_reason = StopReason::end_of_text;
    std::string path;  // every path that made some of it, in order: "fused, then reference"
    std::vector<std::vector<TokenLogprob>> top_logprobs;
    Timings timings;
};

// A prompt as the model will see it.
struct PreparedPrompt {
    std::string text;
    std::vector<int32_t> ids;
};

// Through the model's chat template, a system text folded into a user message where that has no
// place for it; control tokens are recognised in the template's own text only.
// Needs no weights.
Result<PreparedPrompt> prepare_chat(const Model& model, const std::vector<ChatMessage>& messages);

class Engine {
  public:
    struct Options {
        int threads = 0;      // 0: every core of this process
        int64_t context = 0;  // 0: what the model allows, at most 8192
    };

    Engine();
    ~Engine();

    // On failure or cancellation the model in use stays in use; unless its memory, on the same
    // device, is what the new one needs: then it is let go first.
    Status load(const std::filesystem::path& path, LoadOptions options,
                const Options& engine_options);
    // The same model with other threads or another context; the cache is emptied. On failure they
    // stay as they were.
    Status configure(const Options& engine_options);
    std::shared_ptr<const Model> model() const { return model_; }
    int64_t context() const;
    // Rows that the cache holds now.
    int64_t context_used() const;

    Result<PreparedPrompt> prepare(const GenerateRequest& request) const;
    // Streams tokens to on_token (false cancels). A prompt that does not fit the context is refused
    // before any work. A cancelled answer is a result like another: what there is of it.
    Result<GenerateResult> generate(const GenerateRequest& request,
                                    const std::function<bool(const TokenEvent&)>& on_token);
    void forget_conversation();  // empties the cache

    void cancel() { cancel_ = true; }  // the running load or generate ends within 50 ms
    // Live: from the next token on. A choice that is not possible is refused, the old one stays.
    Status set_path(const PathChoice& choice) { return path_.set(choice); }
    PathChoice path() const { return path_.choice(); }
    // Sees every step of the answers that follow; null for none. Not owned.
    void set_observer(StepObserver* observer) { observer_ = observer; }

  private:
    void make_room(const std::filesystem::path& path, const LoadOptions& options);

    std::atomic<bool> cancel_ = false;  // the session's stream looks at it to the end
    std::shared_ptr<const Model> model_;
    std::unique_ptr<Session> session_;
    Options options_;  // the session's
    LivePath path_;
    StepObserver* observer_ = nullptr;
};

}  // namespace lockstep
