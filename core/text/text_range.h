// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>

namespace lockstep {

// Bytes [first, last) of a text.
struct TextRange {
    size_t first = 0;
    size_t last = 0;
};

}  // namespace lockstep
