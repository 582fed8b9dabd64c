// SPDX-License-Identifier: GPL-3.0-or-later
// lockstep chat: one answer, streamed to stdout; a conversation where stdin is a terminal.
#include <unistd.h>

#include <iostream>

#include "app/common.h"
#include "app/interrupt.h"
#include "app/terminal_chat.h"
#include "app/user_path.h"
#include "app/words.h"
#include "core/inspect/candidate.h"
#include "core/run/answer.h"

namespace lockstep::app {
namespace {

constexpr int kept_logprobs = 20;

Options chat_options() {
    return {
        "chat",
        "lockstep chat --model M [--prompt P] [options]\n"
        "Streams an answer to stdout. Without --prompt the prompt is read from stdin (its last "
        "line\n"
        "break is dropped); where stdin is a terminal, it is a conversation. Ctrl+C stops the "
        "answer.",
        {
            {"model", "M", "a catalogue name (see lockstep models), a GGUF file or a folder"},
            {"prompt", "P", "what to answer"},
            {"system", "S", "the system prompt"},
            {"raw", "", "the prompt as it is, without the model's chat template"},
            {"special", "", "with --raw: control tokens written in the prompt are control tokens"},
            {"dtype", "D", "bf16 (default), fp16 or fp32: what weights are expanded to"},
            {"device", "D", device_help},
            {"path", "NAME",
             "how steps are computed: " + known_paths() +
                 " (default: fused), or a kernel\n"
                 "of yours that matches the reference: ./my_kernel.so"},
            {"unchecked", "", "a kernel of yours even where it does not; in its own process"},
            {"max-tokens", "N", "length of the answer at most (default: what the context holds)"},
            {"temperature", "X", "0 (default): always the most likely token"},
            {"top-k", "N", "choose among the N most likely (default 0: all)"},
            {"top-p", "X", "among the most likely that make up X (default 1)"},
            {"min-p", "X", "among those at least X times as likely as the best (default 0)"},
            {"typical-p", "X", "locally typical sampling (default 1: off)"},
            {"repetition-penalty", "X", "default 1: off"},
            {"presence-penalty", "X", "default 0"},
            {"frequency-penalty", "X", "default 0"},
            {"penalty-window", "N", "last tokens that penalties look at (default 64; 0: all)"},
            {"seed", "N", "same seed, same text (default 0)"},
            {"stop", "S", "end the answer before this text; may be given several times"},
            {"threads", "N", "default 0: every core"},
            {"context", "N", "tokens kept (default: what the model allows, at most 8192)"},
            {"show-prompt", "",
             "print the prompt as the model sees it, and its ids, before the answer"},
            {"json", "F",
             "write {model, path, prompt_ids, output_ids, text, stop_reason, top_logprobs,\n"
             "timings} to F; top_logprobs: of each token's logits the 20 most likely"},
        }};
}

Status read_sampling(const Options& options, SamplingOptions& sampling) {
    constexpr int64_t any_int = 1 << 30;
    LOCKSTEP_ASSIGN(sampling.temperature,
                    options.number("temperature", sampling.temperature, 0, 100));
    LOCKSTEP_ASSIGN(const int64_t top_k, options.integer("top-k", sampling.top_k, 0, any_int));
    LOCKSTEP_ASSIGN(sampling.top_p, options.number("top-p", sampling.top_p, 0, 1));
    LOCKSTEP_ASSIGN(sampling.min_p, options.number("min-p", sampling.min_p, 0, 1));
    LOCKSTEP_ASSIGN(sampling.typical_p, options.number("typical-p", sampling.typical_p, 0, 1));
    LOCKSTEP_ASSIGN(sampling.repetition_penalty,
                    options.number("repetition-penalty", 1, 0.01, 100));
    LOCKSTEP_ASSIGN(sampling.presence_penalty, options.number("presence-penalty", 0, -100, 100));
    LOCKSTEP_ASSIGN(sampling.frequency_penalty, options.number("frequency-penalty", 0, -100, 100));
    LOCKSTEP_ASSIGN(const int64_t window,
                    options.integer("penalty-window", sampling.penalty_window, 0, any_int));
    LOCKSTEP_ASSIGN(const int64_t seed, options.integer("seed", 0, INT64_MIN, INT64_MAX));
    sampling.top_k = static_cast<int>(top_k);
    sampling.penalty_window = static_cast<int>(window);
    sampling.seed = static_cast<uint64_t>(seed);
    return {};
}

Result<GenerateRequest> read_request(const Options& options) {
    GenerateRequest request;
    LOCKSTEP_TRY(read_sampling(options, request.sampling));
    LOCKSTEP_ASSIGN(request.max_tokens, options.integer("max-tokens", 0, 0, int64_t{1} << 30));
    request.stop_strings = options.all("stop");
    request.raw_control = options.has("special");
    if (options.has("json")) request.top_logprobs = kept_logprobs;
    if (options.has("system")) request.messages.push_back({"system", options.text("system")});
    if (options.has("system") && options.has("raw"))
        return fail(ErrorKind::invalid_argument,
                    "--system needs the chat template: leave out --raw");
    return request;
}

std::string stdin_prompt() {
    std::string text = read_stdin();
    if (text.ends_with('\n')) text.pop_back();
    if (text.ends_with('\r')) text.pop_back();
    return text;
}

Status load(Engine& engine, const Options& options) {
    const std::string path = options.text("path", engine.path().name());
    const bool own = user_kernel_name(path).has_value();  // checked with the model, below
    if (!own) {
        LOCKSTEP_ASSIGN(const std::string registered, path_option(options, path));
        LOCKSTEP_TRY(engine.set_path(PathChoice(registered)));
    }
    LoadOptions load_options;
    LOCKSTEP_ASSIGN(load_options.dtype, dtype_option(options));
    LOCKSTEP_ASSIGN(load_options.device, device_option(options));
    LOCKSTEP_ASSIGN(const Engine::Options settings, engine_options(options));
    LOCKSTEP_ASSIGN(const std::string name, options.required("model"));
    LOCKSTEP_ASSIGN(const std::filesystem::path model, resolve_model(name));
    LOCKSTEP_TRY(engine.load(model, load_options, settings));
    if (!engine.model()->template_problem.empty())
        std::cerr << "lockstep: " << engine.model()->template_problem << "; using ChatML\n";
    return own ? use_path(engine, path, options.has("unchecked")) : Status();
}

Status show_prompt(const Engine& engine, const GenerateRequest& request) {
    LOCKSTEP_ASSIGN(const PreparedPrompt prompt, engine.prepare(request));
    std::cout << prompt.text << '\n' << OrderedJson(prompt.ids).dump() << "\n\n" << std::flush;
    return {};
}

OrderedJson result_json(const Engine& engine, const GenerateResult& result, double load_seconds) {
    OrderedJson logprobs = OrderedJson::array();
    for (const std::vector<TokenLogprob>& token : result.top_logprobs) {
        OrderedJson row = OrderedJson::array();
        for (const TokenLogprob& choice : token)
            row.push_back({{"id", choice.id}, {"logprob", choice.logprob}});
        logprobs.push_back(std::move(row));
    }
    const Timings& timings = result.timings;
    const double tokens = static_cast<double>(timings.output_tokens);
    return {
        {"model", engine.model()->name},
        {"path", result.path},
        {"prompt_ids", result.prompt_ids},
        {"output_ids", result.output_ids},
        {"text", result.text},
        {"stop_reason", stop_reason_name(result.stop_reason)},
        {"top_logprobs", std::move(logprobs)},
        {"timings",
         {{"load_seconds", load_seconds},
          {"prompt_tokens", timings.prompt_tokens},
          {"reused_tokens", timings.reused_tokens},
          {"output_tokens", timings.output_tokens},
          {"prefill_seconds", timings.prefill_seconds},
          {"first_token_seconds", timings.first_token_seconds},
          {"decode_seconds", timings.decode_seconds},
          {"tokens_per_s",
           timings.decode_seconds > 0 ? (tokens - 1) / timings.decode_seconds : 0}}},
    };
}

Status chat(const Options& options) {
    LOCKSTEP_ASSIGN(GenerateRequest request, read_request(options));
    const bool conversation = !options.has("prompt") && !options.has("raw") && isatty(STDIN_FILENO);
    Engine engine;
    const Stopwatch clock;
    LOCKSTEP_TRY(load(engine, options));
    const double load_seconds = clock.seconds();
    if (conversation) return run_terminal_chat(engine, request);
    const std::string prompt = options.has("prompt") ? options.text("prompt") : stdin_prompt();
    if (prompt.empty())
        return fail(ErrorKind::invalid_argument, "the prompt is empty: write something");
    if (options.has("raw")) {
        request.raw_prompt = prompt;
    } else {
        request.messages.push_back({"user", prompt});
    }
    if (options.has("show-prompt")) LOCKSTEP_TRY(show_prompt(engine, request));
    const InterruptStops interrupt(engine);
    LOCKSTEP_ASSIGN(const GenerateResult result,
                    engine.generate(request, [](const TokenEvent& token) {
                        std::cout << token.text << std::flush;
                        return true;
                    }));
    std::cout << std::endl;
    if (!options.has("json")) return {};
    return write_json(options.text("json"), result_json(engine, result, load_seconds), -1);
}

Status chat_without_display(const Options& options) {
    Engine engine;
    LOCKSTEP_TRY(load(engine, options));
    return run_terminal_chat(engine, {});
}

}  // namespace

int run_chat(int argc, char** argv) {
    return run_word(chat_options(), argc, argv, chat);
}

int run_chat_without_display(const std::string& model, const std::string& device) {
    std::cerr << "lockstep: there is no display, so this is a chat in the terminal\n";
    std::string words[] = {"--model", model.empty() ? default_model : model, "--device",
                           device.empty() ? "auto" : device};
    char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data()};
    return run_word(chat_options(), 4, arguments, chat_without_display);
}

}  // namespace lockstep::app
