// SPDX-License-Identifier: GPL-3.0-or-later
// What tests ask of an engine.
#pragma once

#include <string>

#include "core/run/engine.h"

namespace lockstep::test {

inline GenerateRequest chat_request(const std::string& message, int64_t max_tokens) {
    GenerateRequest request;
    request.messages = {{"user", message}};
    request.max_tokens = max_tokens;
    return request;
}

inline LoadOptions load_on(Device& device) {
    LoadOptions options;
    options.device = &device;
    return options;
}

}  // namespace lockstep::test
