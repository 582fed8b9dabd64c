// SPDX-License-Identifier: GPL-3.0-or-later
// Joins token bytes and gives out whole code points only: streaming never shows half a character.
#pragma once

#include <string>
#include <string_view>

namespace lockstep {

class Utf8Stream {
  public:
    // Returns what became complete; invalid bytes become U+FFFD, one per maximal subpart, as
    // Python's errors="replace" does.
    std::string push(std::string_view bytes);
    // What is left at the end, incomplete sequences replaced.
    std::string finish();

  private:
    std::string pending_;
};

}  // namespace lockstep
