// SPDX-License-Identifier: GPL-3.0-or-later
// The functions that a template can call by name: range, dict, namespace, and
// transformers' raise_exception and strftime_now.
#pragma once

#include <string_view>

#include "core/text/jinja/runtime.h"

namespace lockstep::jinja {

// Undefined where there is none of this name.
Value find_global(std::string_view name);

}  // namespace lockstep::jinja
