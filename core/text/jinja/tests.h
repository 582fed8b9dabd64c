// SPDX-License-Identifier: GPL-3.0-or-later
// jinja2's tests: what may follow "is".
#pragma once

#include <string_view>

#include "core/text/jinja/runtime.h"

namespace lockstep::jinja {

// Null where there is none of this name.
const NamedFunction* find_test(std::string_view name);

}  // namespace lockstep::jinja
