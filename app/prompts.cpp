// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/prompts.h"

namespace lockstep::app {

Result<std::vector<int32_t>> encode_prompt(const Model& model, const std::string& text, bool chat) {
    if (!chat) {
        EncodeOptions options;
        options.add_special = true;
        return model.tokenizer->encode(text, options);
    }
    TemplateInputs inputs;
    inputs.messages = {{"user", text}};
    const auto spelled = [&](std::optional<int32_t> id) {
        return id ? std::string(model.tokenizer->piece(*id)) : std::string();
    };
    inputs.bos_token = spelled(model.tokenizer->bos_token_id());
    inputs.eos_token = spelled(model.tokenizer->eos_token_id());
    LOCKSTEP_ASSIGN(const RenderedPrompt prompt, model.chat_template.render(inputs));
    EncodeOptions options;
    options.control = EncodeOptions::Control::outside_input;
    options.input = prompt.input;
    return model.tokenizer->encode(prompt.text, options);
}

}  // namespace lockstep::app
