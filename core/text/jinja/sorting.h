// SPDX-License-Identifier: GPL-3.0-or-later
// Sorting values whose order may fail: a number and a string have none.
#pragma once

#include <vector>

#include "core/text/jinja/runtime.h"

namespace lockstep::jinja {

struct KeyedValue {
    Value key;
    Value value;
};

// Each item's key: its attribute (itself where `attribute` is undefined or none), lower case if
// `fold_case` and it is a string.
Result<std::vector<KeyedValue>> with_keys(Runtime& runtime, std::vector<Value> items,
                                          const Value& attribute, bool fold_case);
// Equal keys keep their order, also in reverse.
Result<std::vector<Value>> sorted_by_key(Runtime& runtime, std::vector<KeyedValue> items,
                                         bool reverse);

}  // namespace lockstep::jinja
