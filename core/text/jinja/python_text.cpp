// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/python_text.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "core/base/utf8.h"

namespace lockstep::jinja {
namespace {

std::string hex(const char* format, uint32_t value) {
    std::array<char, 16> buffer{};
    std::snprintf(buffer.data(), buffer.size(), format, value);
    return buffer.data();
}

bool is_printable(char32_t value) {
    if (value < 0x7F) return value >= 0x20;
    const auto code_point = static_cast<UChar32>(value);
    const auto type = u_charType(code_point);
    return u_isgraph(code_point) && type != U_FORMAT_CHAR && type != U_PRIVATE_USE_CHAR;
}

std::string escaped(char32_t value) {
    if (value == '\n') return "\\n";
    if (value == '\r') return "\\r";
    if (value == '\t') return "\\t";
    if (value < 0x100) return hex("\\x%02x", value);
    return value < 0x10000 ? hex("\\u%04x", value) : hex("\\U%08x", value);
}

std::string text_repr(std::string_view text) {
    const bool single = text.find('\'') != std::string_view::npos;
    const bool both = single && text.find('"') != std::string_view::npos;
    const char quote = single && !both ? '"' : '\'';
    std::string out(1, quote);
    for (size_t at = 0; at < text.size();) {
        const CodePoint c = code_point_at(text, at);
        if (c.value == '\\' || (c.value == '\'' && quote == '\'')) out += '\\';
        if (is_printable(c.value))
            out += text.substr(at, c.length);
        else
            out += escaped(c.value);
        at += c.length;
    }
    return out + quote;
}

// Writes values within values; bounded by Limits::value_depth, which holds for every value made.
class Writer {
  public:
    explicit Writer(Runtime& runtime) : runtime_(runtime) {}

    Status write(const Value& value) {
        LOCKSTEP_TRY(runtime_.step());
        LOCKSTEP_TRY(runtime_.check_string(out.size()));
        if (value.is_text())
            out += text_repr(value.bytes());
        else if (value.is_sequence())
            return write_items(value);
        else if (value.is_dict())
            return write_dict(value.as_dict());
        else
            out += scalar(value);
        return {};
    }

    static std::string scalar(const Value& value) {
        if (value.is_undefined()) return "Undefined";
        if (value.is_none()) return "None";
        if (value.is_boolean()) return value.truth() ? "True" : "False";
        if (value.is_integer()) return std::to_string(*value.as_integer());
        if (value.is_real()) return real_repr(value.as_real());
        if (value.as_namespace()) return "<Namespace>";
        if (const auto callable = value.as_callable()) return "<function '" + callable->name + "'>";
        return "<loop>";
    }

    std::string out;

  private:
    Status write_items(const Value& value) {
        const bool tuple = value.is_form(Sequence::Form::tuple);
        out += tuple ? "(" : "[";
        bool first = true;
        for (const Value& item : value.items()) {
            if (!first) out += ", ";
            first = false;
            LOCKSTEP_TRY(write(item));
        }
        if (tuple && value.items().size() == 1) out += ",";
        out += tuple ? ")" : "]";
        return {};
    }
    Status write_dict(const Dict& dict) {
        out += "{";
        bool first = true;
        for (const auto& [key, value] : dict.entries) {
            if (!first) out += ", ";
            first = false;
            LOCKSTEP_TRY(write(key));
            out += ": ";
            LOCKSTEP_TRY(write(value));
        }
        out += "}";
        return {};
    }

    Runtime& runtime_;
};

class JsonWriter {
  public:
    JsonWriter(Runtime& runtime, const JsonStyle& style) : runtime_(runtime), style_(style) {}

    Status write(const Value& value) {
        LOCKSTEP_TRY(runtime_.step());
        LOCKSTEP_TRY(runtime_.check_string(out.size()));
        const bool generator = value.is_form(Sequence::Form::generator);
        if (value.is_sequence() && !generator) return write_items(value.items());
        if (value.is_dict()) return write_dict(value.as_dict());
        if (value.is_text())
            write_string(value.bytes());
        else
            return write_scalar(value);
        return {};
    }

    std::string out;

  private:
    Status write_scalar(const Value& value) {
        if (value.is_none()) {
            out += "null";
        } else if (value.is_boolean()) {
            out += value.truth() ? "true" : "false";
        } else if (value.is_integer()) {
            out += std::to_string(*value.as_integer());
        } else if (value.is_real()) {
            const double real = value.as_real();
            if (std::isnan(real))
                out += "NaN";
            else
                out += std::isinf(real) ? (real > 0 ? "Infinity" : "-Infinity") : real_repr(real);
        } else {
            return fail("tojson: " + std::string(value.type_name()) + " has no JSON form" +
                        (value.is_undefined() ? " (" + value.why_undefined() + ")" : ""));
        }
        return {};
    }

    void write_string(std::string_view text) {
        out += '"';
        for (size_t at = 0; at < text.size();) {
            const CodePoint c = code_point_at(text, at);
            write_character(c.value, text.substr(at, c.length));
            at += c.length;
        }
        out += '"';
    }
    void write_character(char32_t value, std::string_view bytes) {
        constexpr std::string_view special = "\"\\\n\r\t\b\f", names = "\"\\nrtbf";
        const size_t found = value < 0x80 ? special.find(static_cast<char>(value)) : special.npos;
        if (found != special.npos) {
            out += '\\';
            out += names[found];
        } else if (value < 0x20 || (style_.ensure_ascii && value > 0x7E && value < 0x10000)) {
            out += hex("\\u%04x", value);
        } else if (style_.ensure_ascii && value >= 0x10000) {
            out += hex("\\u%04x", 0xD800 + ((value - 0x10000) >> 10));
            out += hex("\\u%04x", 0xDC00 + ((value - 0x10000) & 0x3FF));
        } else {
            out += bytes;
        }
    }

    Status write_items(const std::vector<Value>& items) {
        out += '[';
        ++level_;
        for (size_t i = 0; i < items.size(); ++i) {
            separate(i == 0);
            LOCKSTEP_TRY(write(items[i]));
        }
        --level_;
        if (!items.empty()) new_line();
        out += ']';
        return {};
    }
    Status write_dict(const Dict& dict) {
        LOCKSTEP_ASSIGN(auto entries, named_entries(dict));
        out += '{';
        ++level_;
        for (size_t i = 0; i < entries.size(); ++i) {
            separate(i == 0);
            write_string(entries[i].first);
            out += style_.key_separator;
            LOCKSTEP_TRY(write(*entries[i].second));
        }
        --level_;
        if (!entries.empty()) new_line();
        out += '}';
        return {};
    }
    Result<std::vector<std::pair<std::string, const Value*>>> named_entries(const Dict& dict) {
        std::vector<std::pair<std::string, const Value*>> entries;
        for (const auto& [key, value] : dict.entries) {
            if (key.is_text()) {
                entries.emplace_back(key.bytes(), &value);
                continue;
            }
            JsonWriter name(runtime_, style_);
            if (key.is_sequence()) return fail("tojson: a dict's key must be a string or a number");
            LOCKSTEP_TRY(name.write(key));
            entries.emplace_back(name.out, &value);
        }
        if (style_.sort_keys)
            std::stable_sort(entries.begin(), entries.end(),
                             [](const auto& a, const auto& b) { return a.first < b.first; });
        return entries;
    }

    void separate(bool first) {
        if (!first) out += style_.item_separator;
        new_line();
    }
    void new_line() {
        if (!style_.pretty) return;
        out += '\n';
        for (int i = 0; i < level_; ++i) out += style_.indent;
    }

    Runtime& runtime_;
    const JsonStyle& style_;
    int level_ = 0;
};

}  // namespace

// The shortest digits that read back as the same number, with an exponent where Python has one.
std::string real_repr(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    std::array<char, 400> buffer{};
    const double size = std::abs(value);
    const bool fixed = size == 0 || (size >= 1e-4 && size < 1e16);
    const auto format = fixed ? std::chars_format::fixed : std::chars_format::scientific;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format).ptr;
    std::string text(buffer.data(), end);
    if (fixed && text.find('.') == std::string::npos) text += ".0";
    return text;
}

Result<std::string> repr(Runtime& runtime, const Value& value) {
    Writer writer(runtime);
    LOCKSTEP_TRY(writer.write(value));
    return std::move(writer.out);
}

Result<Text> to_text(Runtime& runtime, const Value& value) {
    if (value.is_text()) return value.as_text();
    if (value.is_undefined()) return Text();
    LOCKSTEP_ASSIGN(std::string text, repr(runtime, value));
    return Text::derived(std::move(text), value.has_input());
}

Result<std::string> to_json(Runtime& runtime, const Value& value, const JsonStyle& style) {
    JsonWriter writer(runtime, style);
    LOCKSTEP_TRY(writer.write(value));
    return std::move(writer.out);
}

}  // namespace lockstep::jinja
