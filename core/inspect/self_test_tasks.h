// SPDX-License-Identifier: GPL-3.0-or-later
// What the parts of the self-test share. Internal to run_self_test().
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/inspect/self_test.h"

namespace lockstep {

// `count` tokens: of a model with a tokenizer a piece of plain English, another for each `number`;
// of one without, random ones.
std::vector<int32_t> self_test_prompt(const Model& model, size_t count, uint64_t number);

struct SelfTestTask {
    std::string name;
    std::function<Status()> run;
};
// On request.threads threads, with progress. Ends with the first error.
Status run_shared(const SelfTestRequest& request, const std::vector<SelfTestTask>& tasks);

}  // namespace lockstep
