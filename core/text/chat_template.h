// SPDX-License-Identifier: GPL-3.0-or-later
// A model's chat template: a Jinja subset, compiled and checked when the model loads, rendered per
// turn with transformers' settings (trim_blocks, lstrip_blocks, raise_exception, tojson,
// strftime_now). Expansion is bounded in steps, depth and output.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/tokenizer.h"
#include "kernels/status.h"

namespace lockstep {

struct ChatMessage {
    std::string role;  // "system", "user", "assistant", "tool"
    std::string content;
    // Further fields (tool_calls, name, tool_call_id, ...) as a JSON object, or empty for none. A
    // "content" in it takes content's place.
    std::string fields_json = {};
};

// As a template without a system role can take it (ChatTemplate::supports_system_role): a system
// text stands in front of the next user message, an empty line between them.
std::vector<ChatMessage> fold_system(const std::vector<ChatMessage>& messages);

struct TemplateInputs {
    std::vector<ChatMessage> messages;
    bool add_generation_prompt = true;
    std::string bos_token;
    std::string eos_token;
    std::string tools_json;  // a JSON array as text, or empty for none
    std::string
        variables_json;  // further variables (enable_thinking, ...): a JSON object, or empty
    // strftime_now's clock (local time); tests fix it.
    std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
};

struct RenderedPrompt {
    std::string text;
    // The parts of the text that came from messages and tools, not from the template: control
    // tokens are not recognised there (EncodeOptions::outside_input). In order, disjoint. What a
    // template makes of a person's words (strips, splits, replaces, joins) stays input; where that
    // cannot be told by the byte (tojson), the whole of it is. A role's name is the program's word
    // if it is one of the known ones.
    std::vector<TextRange> input;
};

namespace jinja {
struct Program;
}

class ChatTemplate {
  public:
    ChatTemplate();  // ChatML
    // Parses, and renders probe conversations (with and without a system message, several turns,
    // with tools), so that what cannot run is known now: the error says the line and the construct.
    // A conversation that the template refuses on purpose (raise_exception) is no error.
    static Result<ChatTemplate> compile(std::string_view source);
    static const ChatTemplate& chatml();

    // Fails with the template's own message where it refuses the conversation.
    Result<RenderedPrompt> render(const TemplateInputs& inputs) const;
    const std::string& source() const { return source_; }
    // False where it refuses a system message, or leaves one out.
    bool supports_system_role() const { return supports_system_role_; }
    // False where it says nothing of tools that it is given, or fails with them (tools_problem()).
    bool supports_tools() const { return supports_tools_; }
    // Why it cannot run with tools, as compile() would say it; or empty.
    const std::string& tools_problem() const { return tools_problem_; }

  private:
    struct Uncompiled {};
    explicit ChatTemplate(Uncompiled) {}

    std::string source_;
    std::shared_ptr<const jinja::Program> program_;
    bool supports_system_role_ = true;
    bool supports_tools_ = false;
    std::string tools_problem_;
};

}  // namespace lockstep
