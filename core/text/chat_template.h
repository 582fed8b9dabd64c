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
};

struct TemplateInputs {
    std::vector<ChatMessage> messages;
    bool add_generation_prompt = true;
    std::string bos_token;
    std::string eos_token;
    std::string tools_json;  // a JSON array as text, or empty for none
    // strftime_now's clock (local time); tests fix it.
    std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
};

struct RenderedPrompt {
    std::string text;
    // The parts of the text that came from messages, not from the template: control tokens are not
    // recognised there (EncodeOptions::outside_input).
    std::vector<TextRange> input;
};

namespace jinja {
struct Program;
}

class ChatTemplate {
  public:
    ChatTemplate();  // ChatML
    // Parses, and renders a probe conversation, so that what cannot run is known now: the error says
    // the line and the construct.
    static Result<ChatTemplate> compile(std::string_view source);
    static const ChatTemplate& chatml();

    Result<RenderedPrompt> render(const TemplateInputs& inputs) const;
    const std::string& source() const { return source_; }

  private:
    std::string source_;
    std::shared_ptr<const jinja::Program> program_;
};

}  // namespace lockstep
