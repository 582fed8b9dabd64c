// SPDX-License-Identifier: GPL-3.0-or-later
// A self-test's result, to read and to publish.
#pragma once

#include <string>

#include "core/base/json.h"
#include "core/inspect/self_test.h"

namespace lockstep {

// Every cell, the totals of all and of each model, and the controls.
OrderedJson self_test_json(const SelfTestResult& result);

// Markdown: what was asked and what came out, a row per fault, and everything that was not as asked
// by name.
std::string self_test_table(const SelfTestResult& result);

}  // namespace lockstep
