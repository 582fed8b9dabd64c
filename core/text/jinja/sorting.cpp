// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/sorting.h"

#include <algorithm>

#include "core/text/jinja/filter_tables.h"
#include "core/text/jinja/letter_case.h"
#include "core/text/jinja/operators.h"

namespace lockstep::jinja {
namespace {

// "a,b": a list of both.
Result<Value> key_of(Runtime& runtime, const Value& item, const Value& attribute) {
    if (attribute.is_undefined() || attribute.is_none()) return item;
    if (!attribute.is_text() || attribute.bytes().find(',') == std::string::npos)
        return attribute_path(runtime, item, attribute);
    std::vector<Value> parts;
    const std::string& names = attribute.bytes();
    for (size_t from = 0; from <= names.size();) {
        const size_t comma = std::min(names.find(',', from), names.size());
        LOCKSTEP_ASSIGN(Value part, attribute_path(runtime, item,
                                                   Value::text(names.substr(from, comma - from))));
        parts.push_back(std::move(part));
        from = comma + 1;
    }
    return runtime.make_sequence(std::move(parts));
}

Result<bool> comes_first(Runtime& runtime, const KeyedValue& a, const KeyedValue& b, bool reverse) {
    LOCKSTEP_TRY(runtime.charge(a.key));
    return reverse ? less(b.key, a.key) : less(a.key, b.key);
}

// Merges the sorted runs [first, middle) and [middle, last) of `from` into `to`.
Status merge(Runtime& runtime, std::vector<KeyedValue>& from, std::vector<KeyedValue>& to,
             size_t first, size_t middle, size_t last, bool reverse) {
    size_t left = first, right = middle;
    for (size_t at = first; at < last; ++at) {
        bool take_right = left == middle;
        if (left < middle && right < last) {
            LOCKSTEP_ASSIGN(take_right, comes_first(runtime, from[right], from[left], reverse));
        }
        to[at] = std::move(from[take_right ? right++ : left++]);
    }
    return {};
}

}  // namespace

Result<std::vector<KeyedValue>> with_keys(Runtime& runtime, std::vector<Value> items,
                                          const Value& attribute, bool fold_case) {
    std::vector<KeyedValue> keyed;
    for (Value& item : items) {
        LOCKSTEP_ASSIGN(Value key, key_of(runtime, item, attribute));
        if (fold_case && key.is_text()) {
            LOCKSTEP_TRY(runtime.charge(key));
            LOCKSTEP_ASSIGN(key, runtime.make_text(lower(key.as_text())));
        }
        keyed.push_back({std::move(key), std::move(item)});
    }
    return keyed;
}

Result<std::vector<Value>> sorted_by_key(Runtime& runtime, std::vector<KeyedValue> items,
                                         bool reverse) {
    std::vector<KeyedValue> other(items.size());
    for (size_t run = 1; run < items.size(); run *= 2) {
        for (size_t first = 0; first < items.size(); first += 2 * run) {
            const size_t middle = std::min(first + run, items.size());
            const size_t last = std::min(first + 2 * run, items.size());
            LOCKSTEP_TRY(merge(runtime, items, other, first, middle, last, reverse));
        }
        items.swap(other);
    }
    std::vector<Value> sorted;
    sorted.reserve(items.size());
    for (KeyedValue& item : items) sorted.push_back(std::move(item.value));
    return sorted;
}

}  // namespace lockstep::jinja
