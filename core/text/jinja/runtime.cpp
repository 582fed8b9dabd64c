// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/runtime.h"

#include <algorithm>

namespace lockstep::jinja {

Limits Limits::for_input(int64_t weight) const {
    constexpr int64_t steps_each = 100, bytes_each = 1024;  // 16 times what a weight of one holds
    const int64_t counted = std::min(weight, value_weight);
    Limits limits = *this;
    limits.steps += steps_each * counted;
    limits.total_bytes += static_cast<size_t>(bytes_each * counted);
    return limits;
}

Result<Value> NamedFunction::apply(Runtime& runtime, const Arguments& arguments) const {
    const Value& input = arguments.positional[0];
    LOCKSTEP_TRY(over_items ? runtime.charge_items(input) : runtime.charge(input));
    return function(runtime, arguments);
}

Result<std::vector<Value>> Arguments::bind(std::string_view what, size_t skip,
                                           std::initializer_list<std::string_view> names,
                                           size_t required) const {
    const std::string who(what);
    const size_t given = positional.size() - std::min(skip, positional.size());
    if (given > names.size())
        return fail(who + " takes at most " + std::to_string(names.size()) + " arguments, not " +
                    std::to_string(given));
    std::vector<Value> values(names.size());
    std::vector<bool> bound(names.size(), false);
    for (size_t i = 0; i < given; ++i) {
        values[i] = positional[skip + i];
        bound[i] = true;
    }
    const auto wrong = [&who](const char* says, const std::string& name, const char* how) {
        return fail(who + says + name + how);
    };
    for (const auto& [name, value] : keyword) {
        const auto at =
            static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
        if (at == names.size()) return wrong(" has no argument '", name, "'");
        if (bound[at]) return wrong(" got its argument '", name, "' twice");
        values[at] = value;
        bound[at] = true;
    }
    for (size_t i = 0; i < required; ++i)
        if (!bound[i])
            return fail(who + " lacks its argument '" + std::string(names.begin()[i]) + "'");
    return values;
}

Status Runtime::step(int64_t count) {
    steps_ += count;
    if (steps_ <= limits_.steps) return {};
    return lockstep::fail(ErrorKind::unsupported, "the template takes more than " +
                                                      std::to_string(limits_.steps) + " steps");
}

Status Runtime::allocate(size_t bytes) {
    allocated_ += bytes;
    if (allocated_ <= limits_.total_bytes) return {};
    return lockstep::fail(ErrorKind::unsupported, "the template makes more than " +
                                                      std::to_string(limits_.total_bytes >> 20) +
                                                      " MiB of text");
}

Status Runtime::check_string(size_t bytes) const {
    if (bytes <= limits_.string_bytes) return {};
    return lockstep::fail(ErrorKind::unsupported, "the template makes a string of more than " +
                                                      std::to_string(limits_.string_bytes >> 20) +
                                                      " MiB");
}

Status Runtime::charge(const Value& value) {
    return step(1 + value.extent().weight / 16);
}

Status Runtime::charge_items(const Value& value) {
    if (!value.is_sequence()) return charge(value);
    return step(1 + static_cast<int64_t>(value.items().size()) / 16);
}

Status Runtime::check_extent(const Value& value) const {
    const Extent extent = value.extent();
    if (extent.depth > limits_.value_depth)
        return lockstep::fail(
            ErrorKind::unsupported,
            "values nest more than " + std::to_string(limits_.value_depth) + " deep");
    if (extent.weight > limits_.value_weight)
        return lockstep::fail(ErrorKind::unsupported,
                              "the template makes a value that is too large");
    return {};
}

Result<Value> Runtime::make_text(Text text) {
    LOCKSTEP_TRY(check_string(text.size()));
    LOCKSTEP_TRY(allocate(sizeof(Text) + text.size() + text.input().size() * sizeof(TextRange)));
    return Value::text(std::move(text));
}

Result<Value> Runtime::make_sequence(std::vector<Value> items, Sequence::Form form) {
    if (items.size() > limits_.items)
        return lockstep::fail(ErrorKind::unsupported, "the template makes a list of more than " +
                                                          std::to_string(limits_.items) + " items");
    LOCKSTEP_TRY(allocate(items.size() * sizeof(Value)));
    Value value = Value::sequence(std::move(items), form);
    LOCKSTEP_TRY(check_extent(value));
    return value;
}

Result<Value> Runtime::make_dict(Dict dict) {
    LOCKSTEP_TRY(allocate(dict.entries.size() * 2 * sizeof(Value)));
    Value value = Value::dict(std::move(dict));
    LOCKSTEP_TRY(check_extent(value));
    return value;
}

std::shared_ptr<Namespace> Runtime::make_namespace() {
    namespaces_.push_back(std::make_shared<Namespace>());
    return namespaces_.back();
}

}  // namespace lockstep::jinja
