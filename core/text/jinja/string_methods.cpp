// SPDX-License-Identifier: GPL-3.0-or-later
// Python's str methods. What they cut out of a string keeps its origin.
#include <algorithm>
#include <array>

#include "core/base/utf8.h"
#include "core/text/jinja/access.h"
#include "core/text/jinja/letter_case.h"
#include "core/text/jinja/methods.h"
#include "core/text/jinja/string_edit.h"

namespace lockstep::jinja {
namespace {

const Text& text_of(const Arguments& arguments) {
    return input_of(arguments).as_text();
}

tl::unexpected<Error> wants_text(std::string_view what, const Value& value) {
    return fail(std::string(what) + " wants a string, not " + std::string(value.type_name()));
}

template <bool Left, bool Right>
Result<Value> strip(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("strip", 1, {"chars"}));
    if (given[0].is_text())
        return runtime.make_text(
            strip_characters(text_of(arguments), given[0].bytes(), Left, Right));
    if (!given[0].is_undefined() && !given[0].is_none()) return wants_text("strip", given[0]);
    return runtime.make_text(strip_space(text_of(arguments), Left, Right));
}

template <bool FromRight>
Result<Value> split(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("split", 1, {"sep", "maxsplit"}));
    const auto most = static_cast<int64_t>(runtime.limits().items);
    const int64_t wanted = given[1].as_integer().value_or(-1);
    const int64_t limit = wanted < 0 ? most : std::min(wanted, most);
    std::vector<Text> parts;
    if (given[0].is_text()) {
        if (given[0].as_text().empty()) return fail("split: empty separator");
        parts = FromRight ? split_right(text_of(arguments), given[0].bytes(), limit)
                          : split_left(text_of(arguments), given[0].bytes(), limit);
    } else if (given[0].is_undefined() || given[0].is_none()) {
        parts = FromRight ? split_space_right(text_of(arguments), limit)
                          : split_space(text_of(arguments), limit);
    } else {
        return wants_text("split", given[0]);
    }
    std::vector<Value> values;
    for (Text& part : parts) {
        LOCKSTEP_ASSIGN(Value value, runtime.make_text(std::move(part)));
        values.push_back(std::move(value));
    }
    return runtime.make_sequence(std::move(values));
}

Result<Value> splitlines(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("splitlines", 1, {"keepends"}));
    std::vector<Value> values;
    for (Text& line : split_lines(text_of(arguments), given[0].truth(), runtime.limits().items)) {
        LOCKSTEP_ASSIGN(Value value, runtime.make_text(std::move(line)));
        values.push_back(std::move(value));
    }
    return runtime.make_sequence(std::move(values));
}

template <bool FromRight>
Result<Value> partition(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("partition", 1, {"sep"}, 1));
    if (!given[0].is_text() || given[0].as_text().empty()) return wants_text("partition", given[0]);
    const Text& text = text_of(arguments);
    const std::string& separator = given[0].bytes();
    const size_t at = FromRight ? text.bytes().rfind(separator) : text.bytes().find(separator);
    const Value nothing = Value::text("");
    std::vector<Value> parts{Value::text(text), nothing, nothing};
    if (at == std::string::npos && FromRight) std::swap(parts[0], parts[2]);
    if (at != std::string::npos)
        parts = {Value::text(text.slice(0, at)), Value::text(text.slice(at, at + separator.size())),
                 Value::text(text.slice(at + separator.size(), text.size()))};
    return runtime.make_sequence(std::move(parts), Sequence::Form::tuple);
}

template <bool AtEnd>
Result<Value> has_affix(Runtime&, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given,
                    arguments.bind(AtEnd ? "endswith" : "startswith", 1, {"affix"}, 1));
    const std::string& text = text_of(arguments).bytes();
    const bool tuple = given[0].is_form(Sequence::Form::tuple);
    const std::vector<Value> affixes = tuple ? given[0].items() : std::vector<Value>{given[0]};
    bool found = false;
    for (const Value& affix : affixes) {
        if (!affix.is_text()) return wants_text(AtEnd ? "endswith" : "startswith", affix);
        found = found || (AtEnd ? text.ends_with(affix.bytes()) : text.starts_with(affix.bytes()));
    }
    return Value::boolean(found);
}

template <bool AtEnd>
Result<Value> remove_affix(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given,
                    arguments.bind(AtEnd ? "removesuffix" : "removeprefix", 1, {"affix"}, 1));
    if (!given[0].is_text()) return wants_text("removing an affix", given[0]);
    const Text& text = text_of(arguments);
    const std::string& affix = given[0].bytes();
    if (AtEnd && text.bytes().ends_with(affix))
        return runtime.make_text(text.slice(0, text.size() - affix.size()));
    if (!AtEnd && text.bytes().starts_with(affix))
        return runtime.make_text(text.slice(affix.size(), text.size()));
    return Value::text(text);
}

Result<Value> replace(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("replace", 1, {"old", "new", "count"}, 2));
    for (const Value* value : {&given[0], &given[1]})
        if (!value->is_text()) return wants_text("replace", *value);
    LOCKSTEP_ASSIGN(Text text, replace_all(runtime, text_of(arguments), given[0].bytes(),
                                           given[1].as_text(), given[2].as_integer().value_or(-1)));
    return runtime.make_text(std::move(text));
}

template <Text (*Map)(const Text&)>
Result<Value> map_case(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind("changing case", 1, {}));
    return runtime.make_text(Map(text_of(arguments)));
}

template <bool FromRight>
Result<Value> find(Runtime&, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("find", 1, {"sub"}, 1));
    if (!given[0].is_text()) return wants_text("find", given[0]);
    const std::string& text = text_of(arguments).bytes();
    const size_t at = FromRight ? text.rfind(given[0].bytes()) : text.find(given[0].bytes());
    if (at == std::string::npos) return Value::integer(-1);
    return Value::integer(static_cast<int64_t>(code_point_count(text.substr(0, at))));
}

Result<Value> index(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const Value at, find<false>(runtime, arguments));
    if (at.as_integer() < 0) return fail("index: the substring is not found");
    return at;
}

Result<Value> count(Runtime&, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("count", 1, {"sub"}, 1));
    if (!given[0].is_text()) return wants_text("count", given[0]);
    const std::string& text = text_of(arguments).bytes();
    const std::string& sub = given[0].bytes();
    if (sub.empty()) return Value::integer(static_cast<int64_t>(code_point_count(text)) + 1);
    int64_t found = 0;
    for (size_t at = 0; (at = text.find(sub, at)) != std::string::npos; at += sub.size()) ++found;
    return Value::integer(found);
}

Result<Value> join(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("join", 1, {"iterable"}, 1));
    LOCKSTEP_ASSIGN(const auto items, iterate(runtime, given[0]));
    Text text;
    for (size_t i = 0; i < items.size(); ++i) {
        if (!items[i].is_text()) return wants_text("join", items[i]);
        if (i > 0) text.append(text_of(arguments));
        text.append(items[i].as_text());
        LOCKSTEP_TRY(runtime.check_string(text.size()));
    }
    return runtime.make_text(std::move(text));
}

template <bool Left, bool Right>
Result<Value> justify(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("justify", 1, {"width", "fill"}, 1));
    const auto width = given[0].as_integer();
    if (!width) return fail("a width must be an integer");
    LOCKSTEP_TRY(runtime.check_string(static_cast<size_t>(std::max<int64_t>(*width, 0))));
    const std::string fill = given[1].is_text() ? given[1].bytes() : " ";
    return runtime.make_text(pad(text_of(arguments), *width, fill, Left, Right));
}

Result<Value> zfill(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("zfill", 1, {"width"}, 1));
    const auto width = given[0].as_integer();
    if (!width) return fail("a width must be an integer");
    LOCKSTEP_TRY(runtime.check_string(static_cast<size_t>(std::max<int64_t>(*width, 0))));
    const Text& text = text_of(arguments);
    const bool sign = text.bytes().starts_with('-') || text.bytes().starts_with('+');
    Text padded = text.slice(0, sign ? 1 : 0);
    padded.append(
        pad(text.slice(sign ? 1 : 0, text.size()), *width - (sign ? 1 : 0), "0", true, false));
    return runtime.make_text(std::move(padded));
}

struct Method {
    std::string_view name;
    Function function;
};

constexpr auto methods = std::to_array<Method>({
    {"capitalize", map_case<capitalize>},
    {"center", justify<true, true>},
    {"count", count},
    {"endswith", has_affix<true>},
    {"find", find<false>},
    {"index", index},
    {"join", join},
    {"ljust", justify<false, true>},
    {"lower", map_case<lower>},
    {"lstrip", strip<true, false>},
    {"partition", partition<false>},
    {"removeprefix", remove_affix<false>},
    {"removesuffix", remove_affix<true>},
    {"replace", replace},
    {"rfind", find<true>},
    {"rjust", justify<true, false>},
    {"rpartition", partition<true>},
    {"rsplit", split<true>},
    {"rstrip", strip<false, true>},
    {"split", split<false>},
    {"splitlines", splitlines},
    {"startswith", has_affix<false>},
    {"strip", strip<true, true>},
    {"title", map_case<title>},
    {"upper", map_case<upper>},
    {"zfill", zfill},
});

}  // namespace

Function find_string_method(std::string_view name) {
    const auto* found = std::find_if(methods.begin(), methods.end(),
                                     [name](const Method& method) { return method.name == name; });
    if (found != methods.end()) return found->function;
    return find_string_predicate(name);
}

}  // namespace lockstep::jinja
