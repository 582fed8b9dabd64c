// SPDX-License-Identifier: GPL-3.0-or-later
// Prompts as compare and trace take them: raw text, or one message through the model's template.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/model.h"

namespace lockstep::app {

// The ids that the model is fed. chat: as the user's message of a conversation.
Result<std::vector<int32_t>> encode_prompt(const Model& model, const std::string& text, bool chat);

}  // namespace lockstep::app
