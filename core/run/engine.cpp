// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/run/engine.h"

#include <algorithm>
#include <utility>

#include "core/model/memory_fit.h"
#include "core/run/answer.h"

namespace lockstep {
namespace {

constexpr int64_t default_context = 8192;

Result<std::unique_ptr<Session>> make_session(std::shared_ptr<const Model> model,
                                              const Engine::Options& options) {
    const int64_t allowed = model->config.max_position_embeddings;
    const int64_t context = options.context ? options.context : std::min(default_context, allowed);
    Device& device = device_of(*model);
    return Session::create(std::move(model), device, options.threads, context);
}

std::string token_text(const Tokenizer& tokenizer, std::optional<int32_t> id) {
    return id ? std::string(tokenizer.piece(*id)) : std::string();
}

PreparedPrompt prepare_raw(const Model& model, const GenerateRequest& request) {
    EncodeOptions encode;
    encode.control =
        request.raw_control ? EncodeOptions::Control::everywhere : EncodeOptions::Control::nowhere;
    encode.add_special = true;
    return {request.raw_prompt, model.tokenizer->encode(request.raw_prompt, encode)};
}

Status check_fits(int64_t prompt_tokens, int64_t context) {
    if (prompt_tokens < context) return {};
    return fail(ErrorKind::invalid_argument,
                "the prompt is " + std::to_string(prompt_tokens) +
                    " tokens long, and the context holds " + std::to_string(context) +
                    " with at least one of them for the answer: shorten the " +
                    "prompt, start a new chat, or choose a larger context if the model allows one");
}

}  // namespace

std::string_view stop_reason_name(StopReason reason) {
    switch (reason) {
        case StopReason::end_of_text:
            return "end_of_text";
        case StopReason::stop_string:
            return "stop_string";
        case StopReason::max_tokens:
            return "max_tokens";
        case StopReason::context_full:
            return "context_full";
        case StopReason::cancelled:
            return "cancelled";
    }
    return "unknown";
}

Result<PreparedPrompt> prepare_chat(const Model& model, const std::vector<ChatMessage>& messages) {
    TemplateInputs inputs;
    inputs.messages = model.chat_template.supports_system_role() ? messages : fold_system(messages);
    inputs.bos_token = token_text(*model.tokenizer, model.tokenizer->bos_token_id());
    inputs.eos_token = token_text(*model.tokenizer, model.tokenizer->eos_token_id());
    LOCKSTEP_ASSIGN(RenderedPrompt rendered, model.chat_template.render(inputs));
    EncodeOptions encode;
    encode.control = EncodeOptions::Control::outside_input;
    encode.input = rendered.input;
    PreparedPrompt prompt;
    prompt.ids = model.tokenizer->encode(rendered.text, encode);
    prompt.text = std::move(rendered.text);
    return prompt;
}

Engine::Engine() = default;
Engine::~Engine() = default;

Status Engine::load(const std::filesystem::path& path, LoadOptions options,
                    const Options& engine_options) {
    cancel_ = false;
    options.vocabulary_only = false;
    options.context = engine_options.context ? engine_options.context : default_context;
    options.progress = [this, progress = std::move(options.progress)](const LoadProgress& at) {
        return !cancel_ && (!progress || progress(at));
    };
    make_room(path, options);
    LOCKSTEP_ASSIGN(std::shared_ptr<const Model> model, load_model(path, options));
    LOCKSTEP_ASSIGN(std::unique_ptr<Session> session, make_session(model, engine_options));
    if (cancel_) return fail(ErrorKind::cancelled, "loading was stopped");
    LOCKSTEP_TRY(path_.set_device(device_of(*model).kind()));
    session_ = std::move(session);
    model_ = std::move(model);
    options_ = engine_options;
    return {};
}

void Engine::make_room(const std::filesystem::path& path, const LoadOptions& options) {
    Device& device = options.device ? *options.device : cpu_device();
    if (!session_ || &device_of(*model_) != &device) return;
    const Result<MemoryFit> fit = fit_memory(path, options);
    if (!fit || fit->fits()) return;
    LoadOptions in_use;
    in_use.dtype = model_->dtype;
    in_use.context = session_->context();
    const MemoryEstimate held = estimate_memory(model_->config, in_use);
    if (fit->needed.total() > fit->available + held.weights + held.kv_cache) return;
    session_ = nullptr;
    model_ = nullptr;
}

Status Engine::configure(const Options& engine_options) {
    if (!model_) return {};
    Result<std::unique_ptr<Session>> made = make_session(model_, engine_options);
    if (!made && made.error().kind == ErrorKind::out_of_memory) {
        session_ = nullptr;  // its memory may be what the new one lacks
        made = make_session(model_, engine_options);
        if (!made) {
            LOCKSTEP_ASSIGN(session_, make_session(model_, options_));
        }
    }
    if (!made) return tl::unexpected<Error>(made.error());
    session_ = std::move(*made);
    options_ = engine_options;
    return {};
}

int64_t Engine::context() const {
    return session_ ? session_->context() : 0;
}

int64_t Engine::context_used() const {
    return session_ ? static_cast<int64_t>(session_->tokens().size()) : 0;
}

Result<PreparedPrompt> Engine::prepare(const GenerateRequest& request) const {
    if (!model_ || !session_)
        return fail(ErrorKind::invalid_argument, "no model is open: open one first");
    if (!request.messages.empty()) return prepare_chat(*model_, request.messages);
    PreparedPrompt prompt = prepare_raw(*model_, request);
    if (prompt.ids.empty())
        return fail(ErrorKind::invalid_argument, "the prompt is empty: write something");
    return prompt;
}

Result<GenerateResult> Engine::generate(const GenerateRequest& request,
                                        const std::function<bool(const TokenEvent&)>& on_token) {
    cancel_ = false;
    Stopwatch clock;
    LOCKSTEP_TRY(check(request.sampling));
    LOCKSTEP_ASSIGN(PreparedPrompt prompt, prepare(request));
    LOCKSTEP_TRY(check_fits(static_cast<int64_t>(prompt.ids.size()), session_->context()));
    Answer answer({*session_, path_, request, cancel_, observer_, on_token, clock},
                  std::move(prompt.ids));
    return answer.run();
}

void Engine::forget_conversation() {
    if (session_) session_->truncate(0);
}

}  // namespace lockstep
