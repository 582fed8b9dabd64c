// SPDX-License-Identifier: GPL-3.0-or-later
// A conversation in a terminal: a line is a message, a line that begins with / is a command.
#pragma once

#include "core/run/engine.h"

namespace lockstep::app {

// Ends at /quit or at the end of the input. `settings` are the sampling and limits of every answer;
// its messages (a system prompt) are how every conversation begins.
Status run_terminal_chat(Engine& engine, const GenerateRequest& settings);

}  // namespace lockstep::app
