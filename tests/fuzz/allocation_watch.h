// SPDX-License-Identifier: GPL-3.0-or-later
// The most heap that was in use at once, as AddressSanitizer's allocator sees it.
#pragma once

#include <cstddef>

namespace lockstep::test {

// Starts at the first call; each call starts anew and returns the peak, in bytes above the start,
// since the call before.
size_t take_peak_allocation();

}  // namespace lockstep::test
