// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "core/text/jinja/value.h"
#include "kernels/status.h"

namespace lockstep::jinja {

// A JSON text's value, keys as written; every string and key in it is input. An error begins with
// `where`.
Result<Value> value_of_json(std::string_view json, const std::string& where);

}  // namespace lockstep::jinja
