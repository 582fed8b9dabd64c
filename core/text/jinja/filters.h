// SPDX-License-Identifier: GPL-3.0-or-later
// jinja2's filters, those that chat templates can use, and transformers' tojson.
#pragma once

#include <string_view>

#include "core/text/jinja/runtime.h"

namespace lockstep::jinja {

// Null where there is none of this name.
const NamedFunction* find_filter(std::string_view name);

}  // namespace lockstep::jinja
