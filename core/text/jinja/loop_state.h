// SPDX-License-Identifier: GPL-3.0-or-later
// The variable `loop` inside of {% for %}.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/text/jinja/value.h"

namespace lockstep::jinja {

struct LoopState {
    Value sequence;
    size_t index0 = 0;
    int depth0 = 0;
    std::shared_ptr<const Callable> recurse;  // loop(items), of a recursive loop
    std::optional<std::vector<Value>> last_changed;

    const Value& item() const { return sequence.items()[index0]; }
};

// loop.index, loop.last, ..., loop.cycle; nothing for another name.
std::optional<Value> loop_attribute(const std::shared_ptr<LoopState>& loop, std::string_view name);

}  // namespace lockstep::jinja
