// SPDX-License-Identifier: GPL-3.0-or-later
// Python's % on strings, as far as %[flags][width][.precision] of s, r, d, i, f, g, e, x and %% go.
#include <array>
#include <cstdio>

#include "core/text/jinja/operators.h"
#include "core/text/jinja/python_text.h"

namespace lockstep::jinja {
namespace {

struct Field {
    std::string flags;
    int width = 0;
    int precision = -1;
    char kind = 0;
    size_t bytes = 0;  // of the format that it took
};

constexpr int max_width = 4096;

int take_number(std::string_view text, size_t& at) {
    int number = 0;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9' && number <= max_width)
        number = number * 10 + (text[at++] - '0');
    return number;
}

// text begins with '%'.
Result<Field> parse_field(std::string_view text) {
    Field field;
    size_t at = 1;
    while (at < text.size() && std::string_view("-+ #0").find(text[at]) != std::string_view::npos)
        field.flags += text[at++];
    field.width = take_number(text, at);
    if (at < text.size() && text[at] == '.') field.precision = take_number(text, ++at);
    if (field.width > max_width || field.precision > max_width)
        return fail("a format's width is too large");
    if (at >= text.size()) return fail("the format ends inside of a %");
    field.kind = text[at];
    field.bytes = at + 1;
    return field;
}

Result<std::string> format_number(const Field& field, const Value& value) {
    const bool real = field.kind == 'f' || field.kind == 'g' || field.kind == 'e';
    if (!value.is_number())
        return fail(std::string("%") + field.kind + " wants a number, not " +
                    std::string(value.type_name()));
    std::string format(1, '%');
    format += field.flags;
    if (field.width > 0) format += std::to_string(field.width);
    if (field.precision >= 0) format.append(1, '.').append(std::to_string(field.precision));
    std::array<char, 3 * max_width> buffer{};
    if (real) {
        format += field.kind;
        std::snprintf(buffer.data(), buffer.size(), format.c_str(), value.as_real());
    } else {
        format += std::string("ll") + (field.kind == 'i' ? 'd' : field.kind);
        const auto integer = value.as_integer();
        std::snprintf(buffer.data(), buffer.size(), format.c_str(),
                      static_cast<long long>(integer ? *integer : value.as_real()));
    }
    return std::string(buffer.data());
}

Result<Text> format_text(Runtime& runtime, const Field& field, const Value& value) {
    Text text;
    if (field.kind == 's') {
        LOCKSTEP_ASSIGN(text, to_text(runtime, value));
    } else {
        LOCKSTEP_ASSIGN(std::string bytes, repr(runtime, value));
        text = Text::derived(std::move(bytes), value.has_input());
    }
    const std::vector<size_t> offsets = code_point_offsets(text.bytes());
    const size_t length = offsets.size() - 1;
    const auto precision = static_cast<size_t>(std::max(field.precision, 0));
    if (field.precision >= 0 && precision < length) text = text.slice(0, offsets[precision]);
    const size_t shown = field.precision >= 0 ? std::min(length, precision) : length;
    const auto width = static_cast<size_t>(field.width);
    const std::string padding(width > shown ? width - shown : 0, ' ');
    if (field.flags.find('-') != std::string::npos) {
        text.append(padding);
        return text;
    }
    Text padded(padding);
    padded.append(text);
    return padded;
}

Result<Text> format_field(Runtime& runtime, const Field& field, const Value& value) {
    if (field.kind == 's' || field.kind == 'r') return format_text(runtime, field, value);
    if (std::string_view("dixfge").find(field.kind) == std::string_view::npos)
        return fail(std::string("the format %") + field.kind + " is not supported");
    LOCKSTEP_ASSIGN(std::string text, format_number(field, value));
    return Text(std::move(text));
}

}  // namespace

Result<Value> format_percent(Runtime& runtime, const Text& format, const Value& values) {
    const bool tuple = values.is_form(Sequence::Form::tuple);
    const std::vector<Value> arguments = tuple ? values.items() : std::vector<Value>{values};
    const std::string& bytes = format.bytes();
    Text text;
    size_t used = 0;
    for (size_t at = 0; at < bytes.size();) {
        const size_t percent = std::min(bytes.find('%', at), bytes.size());
        text.append(format.slice(at, percent));
        at = percent;
        if (at == bytes.size()) break;
        LOCKSTEP_ASSIGN(const Field field, parse_field(std::string_view(bytes).substr(at)));
        at += field.bytes;
        if (field.kind == '%') {
            text.append("%");
            continue;
        }
        if (used == arguments.size()) return fail("there are not enough values for the format");
        LOCKSTEP_ASSIGN(const Text part, format_field(runtime, field, arguments[used++]));
        text.append(part);
        LOCKSTEP_TRY(runtime.check_string(text.size()));
    }
    if (used < arguments.size() && !values.is_dict())
        return fail("there are more values than the format has places");
    return runtime.make_text(std::move(text));
}

}  // namespace lockstep::jinja
