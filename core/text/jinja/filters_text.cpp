// SPDX-License-Identifier: GPL-3.0-or-later
// Filters that make text.
#include <algorithm>
#include <array>

#include "core/base/utf8.h"
#include "core/text/jinja/access.h"
#include "core/text/jinja/filter_tables.h"
#include "core/text/jinja/letter_case.h"
#include "core/text/jinja/operators.h"
#include "core/text/jinja/python_text.h"
#include "core/text/jinja/string_edit.h"

namespace lockstep::jinja {
namespace {

Result<Text> input_text(Runtime& runtime, const Arguments& arguments) {
    return to_text(runtime, input_of(arguments));
}

Result<Value> string(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind("string", 1, {}));
    LOCKSTEP_ASSIGN(Text text, input_text(runtime, arguments));
    return runtime.make_text(std::move(text));
}

template <Text (*Map)(const Text&)>
Result<Value> map_text(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind("this filter", 1, {}));
    LOCKSTEP_ASSIGN(const Text text, input_text(runtime, arguments));
    return runtime.make_text(Map(text));
}

// Begins a word after each space, hyphen or opening bracket (str.title: after what is no letter).
Text title_words(const Text& text) {
    Text out;
    const std::string& bytes = text.bytes();
    bool begins = true;
    for (size_t at = 0; at < bytes.size();) {
        const CodePoint c = code_point_at(bytes, at);
        const Text letter = text.slice(at, at + c.length);
        out.append(begins ? upper(letter) : lower(letter));
        begins = is_space(c.value) ||
                 (c.value < 0x80 && std::string_view("-({[<").find(static_cast<char>(c.value)) !=
                                        std::string_view::npos);
        at += c.length;
    }
    return out;
}

Text escape_html(const Text& text) {
    constexpr std::string_view special = "&<>\"'";
    constexpr std::array<std::string_view, 5> names{"&amp;", "&lt;", "&gt;", "&#34;", "&#39;"};
    Text out;
    const std::string& bytes = text.bytes();
    for (size_t at = 0; at < bytes.size();) {
        const size_t next = std::min(bytes.find_first_of(special, at), bytes.size());
        out.append(text.slice(at, next));
        at = next;
        if (at == bytes.size()) break;
        out.append(Text::derived(std::string(names[special.find(bytes[at])]),
                                 text.slice(at, at + 1).has_input()));
        ++at;
    }
    return out;
}

Result<Value> trim(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("trim", 1, {"chars"}));
    LOCKSTEP_ASSIGN(const Text text, input_text(runtime, arguments));
    if (given[0].is_text())
        return runtime.make_text(strip_characters(text, given[0].bytes(), true, true));
    return runtime.make_text(strip_space(text, true, true));
}

Result<Value> replace(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("replace", 1, {"old", "new", "count"}, 2));
    LOCKSTEP_ASSIGN(const Text text, input_text(runtime, arguments));
    LOCKSTEP_ASSIGN(const Text old, to_text(runtime, given[0]));
    LOCKSTEP_ASSIGN(const Text replacement, to_text(runtime, given[1]));
    LOCKSTEP_ASSIGN(Text out, replace_all(runtime, text, old.bytes(), replacement,
                                          given[2].as_integer().value_or(-1)));
    return runtime.make_text(std::move(out));
}

Result<Value> join(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("join", 1, {"d", "attribute"}));
    LOCKSTEP_ASSIGN(const Text separator, to_text(runtime, given[0]));
    LOCKSTEP_ASSIGN(const auto items, iterate(runtime, input_of(arguments)));
    Text text;
    for (size_t i = 0; i < items.size(); ++i) {
        Value item = items[i];
        if (!given[1].is_undefined() && !given[1].is_none()) {
            LOCKSTEP_ASSIGN(item, attribute_path(runtime, item, given[1]));
        }
        LOCKSTEP_ASSIGN(const Text part, to_text(runtime, item));
        if (i > 0) text.append(separator);
        text.append(part);
        LOCKSTEP_TRY(runtime.check_string(text.size()));
    }
    return runtime.make_text(std::move(text));
}

Result<Text> indentation(Runtime& runtime, const Value& width) {
    if (width.is_text()) return width.as_text();
    const int64_t spaces = width.is_undefined() ? 4 : width.as_integer().value_or(-1);
    if (spaces < 0 && !width.as_integer()) return fail("a width must be an integer or a string");
    LOCKSTEP_TRY(runtime.check_string(static_cast<size_t>(std::max<int64_t>(spaces, 0))));
    return Text(std::string(static_cast<size_t>(std::max<int64_t>(spaces, 0)), ' '));
}

Result<Value> indent(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("indent", 1, {"width", "first", "blank"}));
    LOCKSTEP_ASSIGN(const Text space, indentation(runtime, given[0]));
    LOCKSTEP_ASSIGN(Text text, input_text(runtime, arguments));
    text.append("\n");  // so that what ends with a line end ends with an empty line
    const auto lines = split_lines(text, false, runtime.limits().items);
    Text out = given[1].truth() ? space : Text();
    for (size_t i = 0; i < lines.size(); ++i) {
        if (i > 0) out.append("\n");
        if (i > 0 && (given[2].truth() || !lines[i].empty())) out.append(space);
        out.append(lines[i]);
        LOCKSTEP_TRY(runtime.check_string(out.size()));
    }
    return runtime.make_text(std::move(out));
}

Result<Value> truncate(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given,
                    arguments.bind("truncate", 1, {"length", "killwords", "end", "leeway"}));
    LOCKSTEP_ASSIGN(const Text text, input_text(runtime, arguments));
    const Text end = given[2].is_text() ? given[2].as_text() : Text("...");
    const std::vector<size_t> offsets = code_point_offsets(text.bytes());
    const auto size = static_cast<int64_t>(offsets.size()) - 1;
    const int64_t length = given[0].as_integer().value_or(255);
    const int64_t leeway = given[3].as_integer().value_or(5);
    const int64_t kept = length - static_cast<int64_t>(code_point_count(end.bytes()));
    if (kept < 0 || leeway < 0) return fail("the length must be at least that of the end");
    if (size <= leeway || size - leeway <= length) return runtime.make_text(text);
    Text cut = text.slice(0, offsets[static_cast<size_t>(std::min(kept, size))]);
    if (!given[1].truth()) cut = split_right(cut, " ", 1).front();
    cut.append(end);
    return runtime.make_text(std::move(cut));
}

Result<Value> center(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("center", 1, {"width"}));
    LOCKSTEP_ASSIGN(const Text text, input_text(runtime, arguments));
    const int64_t width = given[0].as_integer().value_or(80);
    LOCKSTEP_TRY(runtime.check_string(static_cast<size_t>(std::max<int64_t>(width, 0))));
    return runtime.make_text(pad(text, width, " ", true, true));
}

Result<Value> wordcount(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const Text text, input_text(runtime, arguments));
    int64_t words = 0;
    bool inside = false;
    const std::string& bytes = text.bytes();
    for (const char c : bytes) {
        const bool letter = c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                            (c >= 'a' && c <= 'z') || (c & 0x80) != 0;
        words += letter && !inside;
        inside = letter;
    }
    return Value::integer(words);
}

Result<Value> format(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const Text text, input_text(runtime, arguments));
    if (!arguments.keyword.empty()) return fail("names in a format are not supported");
    std::vector<Value> values(arguments.positional.begin() + 1, arguments.positional.end());
    LOCKSTEP_ASSIGN(const Value tuple,
                    runtime.make_sequence(std::move(values), Sequence::Form::tuple));
    return format_percent(runtime, text, tuple);
}

Result<JsonStyle> json_style(Runtime& runtime, const std::vector<Value>& given) {
    JsonStyle style;
    style.ensure_ascii = given[0].truth();
    style.sort_keys = given[3].truth();
    style.pretty = !given[1].is_undefined() && !given[1].is_none();
    if (style.pretty) {
        style.item_separator.assign(1, ',');
        LOCKSTEP_ASSIGN(const Text indent, indentation(runtime, given[1]));
        style.indent = indent.bytes();
    }
    if (given[2].is_undefined() || given[2].is_none()) return style;
    const bool pair = given[2].is_sequence() && given[2].items().size() == 2 &&
                      given[2].items()[0].is_text() && given[2].items()[1].is_text();
    if (!pair) return fail("separators are two strings");
    style.item_separator = given[2].items()[0].bytes();
    style.key_separator = given[2].items()[1].bytes();
    return style;
}

Result<Value> tojson(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(
        const auto given,
        arguments.bind("tojson", 1, {"ensure_ascii", "indent", "separators", "sort_keys"}));
    LOCKSTEP_ASSIGN(const JsonStyle style, json_style(runtime, given));
    LOCKSTEP_ASSIGN(std::string json, to_json(runtime, input_of(arguments), style));
    const bool input = input_of(arguments).has_input();
    return runtime.make_text(Text::derived(std::move(json), input));
}

constexpr auto filters_of_texts = std::to_array<NamedFunction>({
    {"capitalize", map_text<capitalize>},
    {"center", center},
    {"e", map_text<escape_html>},
    {"escape", map_text<escape_html>},
    {"format", format},
    {"indent", indent},
    {"join", join},
    {"lower", map_text<lower>},
    {"replace", replace},
    {"safe", string},
    {"string", string},
    {"title", map_text<title_words>},
    {"tojson", tojson},
    {"trim", trim},
    {"truncate", truncate},
    {"upper", map_text<upper>},
    {"wordcount", wordcount},
});

}  // namespace

std::span<const NamedFunction> text_filters() {
    return filters_of_texts;
}

}  // namespace lockstep::jinja
