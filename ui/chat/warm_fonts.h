// SPDX-License-Identifier: GPL-3.0-or-later
// Fonts are opened at their first use, and a first Chinese character has all of them looked
// through: up to 25 ms in the middle of an answer.
#pragma once

#include "ui/chat/render_block.h"

namespace lockstep {

// Lays out and paints, where nobody sees it, a message with all that messages are made of.
void warmFonts(const TextStyle& style);

}  // namespace lockstep
