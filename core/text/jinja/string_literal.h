// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "kernels/status.h"

namespace lockstep::jinja {

// The escapes of a Python string literal, between its quotes, resolved.
Result<std::string> unescape(std::string_view body);

}  // namespace lockstep::jinja
