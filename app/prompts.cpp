// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/prompts.h"

#include <utility>

#include "core/run/engine.h"

namespace lockstep::app {

Result<std::vector<int32_t>> encode_prompt(const Model& model, const std::string& text, bool chat) {
    if (!chat) {
        EncodeOptions options;
        options.add_special = true;
        return model.tokenizer->encode(text, options);
    }
    return prepare_chat(model, {{"user", text}}).map([](PreparedPrompt prompt) {
        return std::move(prompt.ids);
    });
}

}  // namespace lockstep::app
