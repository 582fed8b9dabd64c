// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/chat_template.h"

namespace lockstep {
namespace jinja {
struct Program {};
}  // namespace jinja

ChatTemplate::ChatTemplate() = default;

Result<ChatTemplate> ChatTemplate::compile(std::string_view) {
    return fail(ErrorKind::unsupported, "only ChatML so far");
}

const ChatTemplate& ChatTemplate::chatml() {
    static const ChatTemplate chatml;
    return chatml;
}

Result<RenderedPrompt> ChatTemplate::render(const TemplateInputs& inputs) const {
    RenderedPrompt prompt;
    for (const ChatMessage& message : inputs.messages) {
        prompt.text += "<|im_start|>" + message.role + "\n";
        const size_t first = prompt.text.size();
        prompt.text += message.content;
        if (!message.content.empty()) prompt.input.push_back({first, prompt.text.size()});
        prompt.text += "<|im_end|>\n";
    }
    if (inputs.add_generation_prompt) prompt.text += "<|im_start|>assistant\n";
    return prompt;
}

}  // namespace lockstep
