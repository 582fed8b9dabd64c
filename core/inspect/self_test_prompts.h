// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "core/model/model.h"

namespace lockstep {

// `count` tokens: of a model with a tokenizer a piece of plain English, another for each `number`;
// of one without, random ones.
std::vector<int32_t> self_test_prompt(const Model& model, size_t count, uint64_t number);

}  // namespace lockstep
