// SPDX-License-Identifier: GPL-3.0-or-later
// Filters that make lists, or take one item of them.
#include <algorithm>
#include <array>
#include <unordered_set>

#include "core/text/jinja/access.h"
#include "core/text/jinja/filter_tables.h"
#include "core/text/jinja/letter_case.h"
#include "core/text/jinja/methods.h"
#include "core/text/jinja/sorting.h"

namespace lockstep::jinja {
namespace {

Result<Value> list(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind("list", 1, {}));
    LOCKSTEP_ASSIGN(auto items, iterate(runtime, input_of(arguments)));
    return runtime.make_sequence(std::move(items));
}

// One end of a list, looked at where it stands.
template <bool First>
Result<Value> end_item(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind(First ? "first" : "last", 1, {}));
    const Value& value = input_of(arguments);
    std::vector<Value> walked;
    if (!value.is_sequence()) {
        LOCKSTEP_ASSIGN(walked, iterate(runtime, value));
    }
    const std::vector<Value>& items = value.is_sequence() ? value.items() : walked;
    if (items.empty())
        return Value::undefined(First ? "there is no first item" : "there is no last item");
    return First ? items.front() : items.back();
}

Result<Value> reverse(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind("reverse", 1, {}));
    const Value& value = input_of(arguments);
    if (value.is_text()) return get_slice(runtime, value, {{}, {}, -1});
    LOCKSTEP_ASSIGN(auto items, iterate(runtime, value));
    std::reverse(items.begin(), items.end());
    return runtime.make_sequence(std::move(items), lazy);
}

Result<Value> items(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind("items", 1, {}));
    const Value& value = input_of(arguments);
    if (value.is_undefined()) return runtime.make_sequence({}, lazy);
    if (!value.is_dict())
        return fail("items wants a mapping, not " + std::string(value.type_name()));
    return find_method(value, "items")(runtime, arguments);
}

Result<Value> sort(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given,
                    arguments.bind("sort", 1, {"reverse", "case_sensitive", "attribute"}));
    LOCKSTEP_ASSIGN(auto all, iterate(runtime, input_of(arguments)));
    LOCKSTEP_ASSIGN(auto keyed, with_keys(runtime, std::move(all), given[2], !given[1].truth()));
    LOCKSTEP_ASSIGN(auto sorted, sorted_by_key(runtime, std::move(keyed), given[0].truth()));
    return runtime.make_sequence(std::move(sorted));
}

Result<Value> dictsort(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given,
                    arguments.bind("dictsort", 1, {"case_sensitive", "by", "reverse"}));
    LOCKSTEP_ASSIGN(const Value pairs, items(runtime, {{input_of(arguments)}, {}}));
    const bool by_value = given[1].is_text() && given[1].bytes() == "value";
    LOCKSTEP_ASSIGN(auto keyed, with_keys(runtime, pairs.items(), Value::integer(by_value ? 1 : 0),
                                          !given[0].truth()));
    LOCKSTEP_ASSIGN(auto sorted, sorted_by_key(runtime, std::move(keyed), given[2].truth()));
    return runtime.make_sequence(std::move(sorted));
}

Result<Value> unique(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("unique", 1, {"case_sensitive", "attribute"}));
    LOCKSTEP_ASSIGN(auto all, iterate(runtime, input_of(arguments)));
    LOCKSTEP_ASSIGN(auto keyed, with_keys(runtime, std::move(all), given[1], !given[0].truth()));
    std::unordered_set<std::string> seen;
    std::vector<Value> kept;
    for (KeyedValue& item : keyed) {
        const auto key = item.key.hash_key();
        if (!key)
            return fail("unique cannot tell " + std::string(item.key.type_name()) + "s apart");
        if (seen.insert(*key).second) kept.push_back(std::move(item.value));
    }
    return runtime.make_sequence(std::move(kept), lazy);
}

template <bool Largest>
Result<Value> extreme(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given,
                    arguments.bind("min or max", 1, {"case_sensitive", "attribute"}));
    LOCKSTEP_ASSIGN(auto all, iterate(runtime, input_of(arguments)));
    if (all.empty()) return Value::undefined("there is no item to choose");
    LOCKSTEP_ASSIGN(auto keyed, with_keys(runtime, std::move(all), given[1], !given[0].truth()));
    LOCKSTEP_ASSIGN(auto sorted, sorted_by_key(runtime, std::move(keyed), Largest));
    return sorted.front();
}

Result<int64_t> positive(const Value& value, int64_t limit) {
    const auto count = value.as_integer();
    if (!count || *count < 1 || *count > limit)
        return fail("a count must be positive and not huge");
    return *count;
}

// Rows of so many items, the last one filled up.
Result<Value> batch(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("batch", 1, {"linecount", "fill_with"}, 1));
    LOCKSTEP_ASSIGN(const int64_t count, positive(given[0], 100000));
    LOCKSTEP_ASSIGN(const auto all, iterate(runtime, input_of(arguments)));
    const auto width = static_cast<size_t>(count);
    std::vector<Value> rows;
    for (size_t from = 0; from < all.size(); from += width) {
        const size_t to = std::min(from + width, all.size());
        std::vector<Value> row(all.begin() + static_cast<std::ptrdiff_t>(from),
                               all.begin() + static_cast<std::ptrdiff_t>(to));
        if (!given[1].is_undefined() && !given[1].is_none()) row.resize(width, given[1]);
        LOCKSTEP_ASSIGN(Value value, runtime.make_sequence(std::move(row)));
        rows.push_back(std::move(value));
    }
    return runtime.make_sequence(std::move(rows), lazy);
}

// So many rows of about equal length, the short ones filled up.
Result<Value> slice(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("slice", 1, {"slices", "fill_with"}, 1));
    LOCKSTEP_ASSIGN(const int64_t count, positive(given[0], 100000));
    LOCKSTEP_ASSIGN(const auto all, iterate(runtime, input_of(arguments)));
    const size_t slices = static_cast<size_t>(count);
    const size_t width = all.size() / slices, longer = all.size() % slices;
    const bool fill = !given[1].is_undefined() && !given[1].is_none();
    std::vector<Value> rows;
    size_t from = 0;
    for (size_t i = 0; i < slices; ++i) {
        const size_t to = from + width + (i < longer ? 1 : 0);
        std::vector<Value> row(all.begin() + static_cast<std::ptrdiff_t>(from),
                               all.begin() + static_cast<std::ptrdiff_t>(to));
        if (fill && i >= longer) row.push_back(given[1]);
        LOCKSTEP_ASSIGN(Value value, runtime.make_sequence(std::move(row)));
        rows.push_back(std::move(value));
        from = to;
    }
    return runtime.make_sequence(std::move(rows), lazy);
}

Result<Value> groupby(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given,
                    arguments.bind("groupby", 1, {"attribute", "default", "case_sensitive"}, 1));
    LOCKSTEP_ASSIGN(auto all, iterate(runtime, input_of(arguments)));
    const bool fold = !given[2].truth();
    LOCKSTEP_ASSIGN(auto keyed, with_keys(runtime, all, given[0], fold));
    LOCKSTEP_ASSIGN(const auto sorted, sorted_by_key(runtime, std::move(keyed), false));
    LOCKSTEP_ASSIGN(keyed, with_keys(runtime, sorted, given[0], fold));
    std::vector<Value> groups;
    for (size_t i = 0; i < keyed.size();) {
        std::vector<Value> members;
        const size_t begin = i;
        for (; i < keyed.size() && equal(keyed[i].key, keyed[begin].key); ++i)
            members.push_back(keyed[i].value);
        LOCKSTEP_ASSIGN(const Value name, attribute_path(runtime, keyed[begin].value, given[0]));
        LOCKSTEP_ASSIGN(const Value group, runtime.make_sequence(std::move(members)));
        LOCKSTEP_ASSIGN(Value pair, runtime.make_sequence({name, group}, Sequence::Form::tuple));
        groups.push_back(std::move(pair));
    }
    return runtime.make_sequence(std::move(groups));
}

constexpr auto filters_of_sequences = std::to_array<NamedFunction>({
    {"batch", batch, true},
    {"dictsort", dictsort},
    {"first", end_item<true>, true},
    {"groupby", groupby},
    {"items", items},
    {"last", end_item<false>, true},
    {"list", list, true},
    {"max", extreme<true>},
    {"min", extreme<false>},
    {"reverse", reverse, true},
    {"slice", slice, true},
    {"sort", sort},
    {"unique", unique},
});

}  // namespace

std::span<const NamedFunction> sequence_filters() {
    return filters_of_sequences;
}

}  // namespace lockstep::jinja
