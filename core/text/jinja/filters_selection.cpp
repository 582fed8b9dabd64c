// SPDX-License-Identifier: GPL-3.0-or-later
// map, select, reject and their like: filters that apply other filters and tests.
#include <array>

#include "core/text/jinja/access.h"
#include "core/text/jinja/filter_tables.h"
#include "core/text/jinja/filters.h"
#include "core/text/jinja/tests.h"

namespace lockstep::jinja {
namespace {

// The items to go through; none of what is false: jinja2 looks before it walks.
Result<std::vector<Value>> input_items(Runtime& runtime, const Arguments& arguments) {
    if (!input_of(arguments).truth()) return std::vector<Value>();
    return iterate(runtime, input_of(arguments));
}

// A filter or test with its arguments but for the first.
struct Applied {
    const NamedFunction* function = nullptr;
    Arguments arguments;

    Result<Value> to(Runtime& runtime, const Value& value) {
        arguments.positional[0] = value;
        return function->apply(runtime, arguments);
    }
};

// The name stands at positional[at], its arguments behind it.
Result<Applied> applied(const Arguments& arguments, size_t at,
                        const NamedFunction* (*find)(std::string_view), const char* what) {
    const Value& name = arguments.positional[at];
    if (!name.is_text()) return fail(std::string("the name of a ") + what + " must be a string");
    Applied result;
    result.function = find(name.bytes());
    if (!result.function)
        return fail("there is no " + std::string(what) + " '" + name.bytes() + "'");
    result.arguments.positional.emplace_back();
    result.arguments.positional.insert(
        result.arguments.positional.end(),
        arguments.positional.begin() + static_cast<std::ptrdiff_t>(at) + 1,
        arguments.positional.end());
    result.arguments.keyword = arguments.keyword;
    return result;
}

Result<Value> map_attribute(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("map", 1, {"attribute", "default"}, 1));
    LOCKSTEP_ASSIGN(auto items, input_items(runtime, arguments));
    for (Value& item : items) {
        LOCKSTEP_ASSIGN(item, attribute_path(runtime, item, given[0]));
        if (item.is_undefined()) item = given[1];
    }
    return runtime.make_sequence(std::move(items), lazy);
}

Result<Value> map(Runtime& runtime, const Arguments& arguments) {
    if (arguments.positional.size() < 2) return map_attribute(runtime, arguments);
    LOCKSTEP_ASSIGN(Applied filter, applied(arguments, 1, find_filter, "filter"));
    LOCKSTEP_ASSIGN(auto items, input_items(runtime, arguments));
    for (Value& item : items) {
        LOCKSTEP_ASSIGN(item, filter.to(runtime, item));
    }
    return runtime.make_sequence(std::move(items), lazy);
}

// Whether the test (truth, without one) holds for the item, or for its attribute.
Result<bool> holds(Runtime& runtime, const Value& item, const Value* attribute, Applied* test) {
    if (attribute) {
        LOCKSTEP_ASSIGN(const Value value, attribute_path(runtime, item, *attribute));
        return holds(runtime, value, nullptr, test);
    }
    if (!test) return item.truth();
    LOCKSTEP_ASSIGN(const Value verdict, test->to(runtime, item));
    return verdict.truth();
}

// Keeps the items for which it does, or (`Wanted` is false) does not.
template <bool Wanted, bool ByAttribute>
Result<Value> select(Runtime& runtime, const Arguments& arguments) {
    constexpr size_t at = ByAttribute ? 2 : 1;
    if (arguments.positional.size() < at) return fail("the attribute's name is missing");
    const Value* attribute = ByAttribute ? &arguments.positional[1] : nullptr;
    std::optional<Applied> test;
    if (arguments.positional.size() > at) {
        LOCKSTEP_ASSIGN(test, applied(arguments, at, find_test, "test"));
    }
    LOCKSTEP_ASSIGN(auto items, input_items(runtime, arguments));
    std::vector<Value> kept;
    for (Value& item : items) {
        LOCKSTEP_ASSIGN(const bool good, holds(runtime, item, attribute, test ? &*test : nullptr));
        if (good == Wanted) kept.push_back(std::move(item));
    }
    return runtime.make_sequence(std::move(kept), lazy);
}

constexpr auto selecting_filters = std::to_array<NamedFunction>({
    {"map", map, true},
    {"reject", select<false, false>, true},
    {"rejectattr", select<false, true>, true},
    {"select", select<true, false>, true},
    {"selectattr", select<true, true>, true},
});

}  // namespace

std::span<const NamedFunction> selection_filters() {
    return selecting_filters;
}

}  // namespace lockstep::jinja
