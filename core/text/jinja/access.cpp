// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/access.h"

#include <algorithm>
#include <array>

#include "core/text/jinja/loop_state.h"
#include "core/text/jinja/methods.h"

namespace lockstep::jinja {
namespace {

// A function with the value it is a method of.
struct BoundMethod : Callable {
    Value self;
    Function function;

    BoundMethod(std::string method, Value value, Function f)
        : Callable(std::move(method)), self(std::move(value)), function(f) {
        extent.hold(self.extent());
    }
    Result<Value> call(Runtime& runtime, const Arguments& arguments) const override {
        Arguments all;
        all.positional.push_back(self);
        all.positional.insert(all.positional.end(), arguments.positional.begin(),
                              arguments.positional.end());
        all.keyword = arguments.keyword;
        return function(runtime, all);
    }
};

Value missing(const Value& value, const std::string& what) {
    return Value::undefined(std::string(value.type_name()) + " object has no " + what);
}

// What Python's list and dict have, and the sandbox keeps from templates.
bool changes(const Value& value, std::string_view name) {
    constexpr std::array<std::string_view, 8> of_list{"append", "clear",  "extend",  "insert",
                                                      "pop",    "remove", "reverse", "sort"};
    constexpr std::array<std::string_view, 5> of_dict{"clear", "pop", "popitem", "setdefault",
                                                      "update"};
    if (value.is_form(Sequence::Form::list))
        return std::find(of_list.begin(), of_list.end(), name) != of_list.end();
    return value.is_dict() && std::find(of_dict.begin(), of_dict.end(), name) != of_dict.end();
}

std::optional<Value> own_attribute(const Value& value, std::string_view name) {
    if (name.starts_with('_')) return std::nullopt;
    if (const auto names = value.as_namespace()) {
        const Value* found = names->find(name);
        return found ? std::optional(*found) : std::nullopt;
    }
    if (const auto loop = value.as_loop()) return loop_attribute(loop, name);
    if (value.as_callable() && name == "name") return Value::text(value.as_callable()->name);
    if (changes(value, name))
        return Value::undefined("the method '" + std::string(name) + "' would change a " +
                                std::string(value.type_name()) + ", which templates may not do");
    if (const Function method = find_method(value, name))
        return Value::of(std::shared_ptr<const Callable>(
            std::make_shared<const BoundMethod>(std::string(name), value, method)));
    return std::nullopt;
}

std::optional<Value> own_item(const Value& value, const Value& key) {
    if (value.is_dict()) {
        const Value* found = value.as_dict().find(key);
        return found ? std::optional(*found) : std::nullopt;
    }
    auto index = key.as_integer();
    if (!index || value.is_form(Sequence::Form::generator)) return std::nullopt;
    if (value.is_sequence()) {
        const auto size = static_cast<int64_t>(value.items().size());
        if (*index < 0) *index += size;
        if (*index < 0 || *index >= size) return std::nullopt;
        return value.items()[static_cast<size_t>(*index)];
    }
    if (!value.is_text()) return std::nullopt;
    const Text& text = value.as_text();
    const std::vector<size_t> offsets = code_point_offsets(text.bytes());
    const auto size = static_cast<int64_t>(offsets.size()) - 1;
    if (*index < 0) *index += size;
    if (*index < 0 || *index >= size) return std::nullopt;
    const auto at = static_cast<size_t>(*index);
    return Value::text(text.slice(offsets[at], offsets[at + 1]));
}

struct Steps {
    int64_t start, stop, step;
};

// Python's slice.indices().
Steps resolve(const SliceBounds& bounds, int64_t size) {
    const int64_t step = bounds.step.value_or(1);
    const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    const auto place = [&](std::optional<int64_t> bound, int64_t fallback) {
        if (!bound) return fallback;
        const int64_t at = *bound < 0 ? *bound + size : *bound;
        return std::clamp(at, low, high);
    };
    return {place(bounds.start, step > 0 ? low : high), place(bounds.stop, step > 0 ? high : low),
            step};
}

std::vector<size_t> indices(const Steps& steps, int64_t size) {
    std::vector<size_t> found;
    // A step beyond the size takes one item at most; kept small, the sum below cannot overflow.
    const int64_t step = std::clamp(steps.step, -size - 1, size + 1);
    for (int64_t i = steps.start; step > 0 ? i < steps.stop : i > steps.stop; i += step)
        found.push_back(static_cast<size_t>(i));
    return found;
}

Result<Value> slice_text(Runtime& runtime, const Text& text, const SliceBounds& bounds) {
    const std::vector<size_t> offsets = code_point_offsets(text.bytes());
    const auto size = static_cast<int64_t>(offsets.size()) - 1;
    const Steps steps = resolve(bounds, size);
    if (steps.step == 1) {
        const auto first = static_cast<size_t>(steps.start);
        const auto last = static_cast<size_t>(std::max(steps.start, steps.stop));
        return runtime.make_text(text.slice(offsets[first], offsets[last]));
    }
    Text picked;
    if (!text.has_input()) {
        for (const size_t i : indices(steps, size))
            picked.append(
                std::string_view(text.bytes()).substr(offsets[i], offsets[i + 1] - offsets[i]));
        return runtime.make_text(std::move(picked));
    }
    for (const size_t i : indices(steps, size))
        picked.append(text.slice(offsets[i], offsets[i + 1]));
    return runtime.make_text(std::move(picked));
}

}  // namespace

Result<Value> get_attribute(Runtime& runtime, const Value& value, std::string_view name) {
    if (value.is_undefined()) return fail(value.why_undefined());
    LOCKSTEP_TRY(runtime.check_extent(value));
    if (auto found = own_attribute(value, name)) return *std::move(found);
    if (auto found = own_item(value, Value::text(name))) return *std::move(found);
    return missing(value, "attribute " + jinja::quoted(name));
}

Result<Value> get_item(Runtime& runtime, const Value& value, const Value& key) {
    if (value.is_undefined()) return fail(value.why_undefined());
    LOCKSTEP_TRY(runtime.check_extent(value));
    if (auto found = own_item(value, key)) return *std::move(found);
    if (!key.is_text()) return missing(value, "such item");
    if (auto found = own_attribute(value, key.bytes())) return *std::move(found);
    return missing(value, "attribute " + jinja::quoted(key.bytes()));
}

Result<Value> get_slice(Runtime& runtime, const Value& value, const SliceBounds& bounds) {
    if (value.is_undefined()) return fail(value.why_undefined());
    if (bounds.step == 0) return fail("a slice's step cannot be zero");
    if (value.is_text()) return slice_text(runtime, value.as_text(), bounds);
    if (!value.is_sequence() || value.is_form(Sequence::Form::generator))
        return missing(value, "slices");
    const auto size = static_cast<int64_t>(value.items().size());
    std::vector<Value> items;
    for (const size_t i : indices(resolve(bounds, size), size)) items.push_back(value.items()[i]);
    return runtime.make_sequence(std::move(items), value.as_sequence().form);
}

std::vector<Value> characters(const Text& text) {
    const std::vector<size_t> offsets = code_point_offsets(text.bytes());
    std::vector<Value> all;
    for (size_t i = 0; i + 1 < offsets.size(); ++i)
        all.push_back(Value::text(text.slice(offsets[i], offsets[i + 1])));
    return all;
}

Result<std::vector<Value>> iterate(Runtime& runtime, const Value& value) {
    std::vector<Value> items;
    if (value.is_undefined()) return items;
    if (value.is_sequence()) {
        items = value.items();
    } else if (value.is_dict()) {
        for (const auto& entry : value.as_dict().entries) items.push_back(entry.first);
    } else if (value.is_text()) {
        // Made before it is counted: no more than the string's limit times a value's size.
        if (value.as_text().size() > runtime.limits().items)
            return fail("a string of that length cannot be walked through");
        items = characters(value.as_text());
    } else {
        return fail(std::string(value.type_name()) + " is nothing to walk through");
    }
    LOCKSTEP_TRY(runtime.allocate(items.size() * sizeof(Value)));
    return items;
}

Result<int64_t> length(const Value& value) {
    if (value.is_undefined()) return 0;
    if (value.is_text()) return static_cast<int64_t>(code_point_count(value.bytes()));
    if (value.is_dict()) return static_cast<int64_t>(value.as_dict().entries.size());
    if (value.is_sequence() && !value.is_form(Sequence::Form::generator))
        return static_cast<int64_t>(value.items().size());
    return fail(std::string(value.type_name()) + " has no length");
}

}  // namespace lockstep::jinja
