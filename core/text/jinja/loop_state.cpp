// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/loop_state.h"

#include <algorithm>

#include "core/text/jinja/runtime.h"

namespace lockstep::jinja {
namespace {

struct Cycle : Callable {
    size_t index0;

    explicit Cycle(size_t index) : Callable("cycle"), index0(index) {}
    Result<Value> call(Runtime&, const Arguments& arguments) const override {
        if (arguments.positional.empty())
            return fail("loop.cycle wants something to cycle through");
        return arguments.positional[index0 % arguments.positional.size()];
    }
};

// Whether it is called with other values than the last time in this loop.
struct Changed : Callable {
    std::weak_ptr<LoopState> loop;

    explicit Changed(const std::shared_ptr<LoopState>& of) : Callable("changed"), loop(of) {}
    Result<Value> call(Runtime&, const Arguments& arguments) const override {
        const auto state = loop.lock();
        if (!state) return fail("loop.changed is called outside of its loop");
        const auto& now = arguments.positional;
        const auto& last = state->last_changed;
        const bool same =
            last && std::equal(now.begin(), now.end(), last->begin(), last->end(), equal);
        if (!same) state->last_changed = now;
        return Value::boolean(!same);
    }
};

Value count(size_t n) {
    return Value::integer(static_cast<int64_t>(n));
}

}  // namespace

std::optional<Value> loop_attribute(const std::shared_ptr<LoopState>& loop, std::string_view name) {
    const std::vector<Value>& items = loop->sequence.items();
    const size_t size = items.size(), i = loop->index0;
    if (name == "index") return count(i + 1);
    if (name == "index0") return count(i);
    if (name == "revindex") return count(size - i);
    if (name == "revindex0") return count(size - i - 1);
    if (name == "first") return Value::boolean(i == 0);
    if (name == "last") return Value::boolean(i + 1 == size);
    if (name == "length") return count(size);
    if (name == "depth") return Value::integer(loop->depth0 + 1);
    if (name == "depth0") return Value::integer(loop->depth0);
    if (name == "previtem")
        return i > 0 ? items[i - 1] : Value::undefined("there is no previous item");
    if (name == "nextitem")
        return i + 1 < size ? items[i + 1] : Value::undefined("there is no next item");
    if (name == "cycle")
        return Value::of(std::shared_ptr<const Callable>(std::make_shared<const Cycle>(i)));
    if (name == "changed")
        return Value::of(std::shared_ptr<const Callable>(std::make_shared<const Changed>(loop)));
    return std::nullopt;
}

}  // namespace lockstep::jinja
