// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/terminal_chat.h"

#include <cstdio>
#include <iostream>
#include <sstream>

#include "app/common.h"
#include "app/interrupt.h"
#include "app/user_path.h"

namespace lockstep::app {
namespace {

constexpr const char* commands =
    "  /new          forget the conversation\n"
    "  /path NAME    compute with another path from here on, or with ./my_kernel.so\n"
    "  /quit         end (Ctrl+D does too); Ctrl+C stops an answer\n";

void answer(Engine& engine, GenerateRequest& conversation) {
    const InterruptStops interrupt(engine);
    const auto result = engine.generate(conversation, [](const TokenEvent& token) {
        std::cout << token.text << std::flush;
        return true;
    });
    std::cout << '\n';
    if (!result) {
        std::cerr << "lockstep: " << result.error().message << '\n';
        conversation.messages.pop_back();
        return;
    }
    const Timings& timings = result->timings;
    std::ostringstream figures;
    figures.precision(3);
    figures << "[" << timings.output_tokens << " tokens";
    if (timings.output_tokens > 1 && timings.decode_seconds > 0)
        figures << ", " << static_cast<double>(timings.output_tokens - 1) / timings.decode_seconds
                << " tokens/s";
    figures << ", first after " << timings.first_token_seconds << " s, " << result->path << ", "
            << stop_reason_name(result->stop_reason) << "]";
    std::cerr << figures.str() << '\n';
    conversation.messages.push_back({"assistant", result->text});
}

void change_path(Engine& engine, const std::string& name) {
    const Status changed = use_path(engine, name, false);
    if (changed) {
        std::cerr << "lockstep: computing with " << name << '\n';
    } else {
        std::cerr << "lockstep: " << changed.error().message << '\n';
    }
}

}  // namespace

Status run_terminal_chat(Engine& engine, const GenerateRequest& settings) {
    std::cerr << engine.model()->name << ", path " << engine.path().name() << ", context "
              << engine.context() << " tokens. Commands:\n"
              << commands;
    GenerateRequest conversation = settings;
    std::string line;
    while (std::cerr << "\n> " && std::getline(std::cin, line)) {
        if (line.empty()) continue;
        if (line == "/quit") break;
        if (line == "/new") {
            conversation = settings;
            engine.forget_conversation();
        } else if (line.starts_with("/path ")) {
            change_path(engine, line.substr(6));
        } else if (line.front() == '/') {
            std::cerr << "there is no command " << line << "; there are:\n" << commands;
        } else {
            conversation.messages.push_back({"user", line});
            answer(engine, conversation);
        }
    }
    std::cerr << '\n';
    return {};
}

}  // namespace lockstep::app
