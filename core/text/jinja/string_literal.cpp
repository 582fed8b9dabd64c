// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/string_literal.h"

#include <charconv>

#include "core/base/utf8.h"

namespace lockstep::jinja {
namespace {

constexpr std::string_view plain_names = "abfnrtv\\'\"";
constexpr std::string_view plain_values = "\a\b\f\n\r\t\v\\'\"";

size_t hex_digits(char kind) {
    if (kind == 'x') return 2;
    if (kind == 'u') return 4;
    return kind == 'U' ? 8 : 0;
}

// Reads the code point that `digits` spell in `base`; false where they spell none.
bool append_code_point(std::string& text, std::string_view digits, int base) {
    uint32_t value = 0;
    const char* last = digits.data() + digits.size();
    const auto [end, error] = std::from_chars(digits.data(), last, value, base);
    const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
    if (error != std::errc() || end != last || value > 0x10FFFF || surrogate) return false;
    append_utf8(text, value);
    return true;
}

}  // namespace

Result<std::string> unescape(std::string_view body) {
    std::string text;
    for (size_t i = 0; i < body.size(); ++i) {
        if (body[i] != '\\' || i + 1 == body.size()) {
            text += body[i];
            continue;
        }
        const char kind = body[++i];
        const size_t plain = plain_names.find(kind);
        const size_t digits = hex_digits(kind);
        if (plain != std::string_view::npos) {
            text += plain_values[plain];
        } else if (digits > 0) {
            const std::string_view code = body.substr(i + 1, digits);
            if (code.size() < digits || !append_code_point(text, code, 16))
                return fail(ErrorKind::unsupported,
                            "this string's escape \\" + std::string(1, kind) + " is no character");
            i += digits;
        } else if (kind >= '0' && kind <= '7') {
            size_t length = 1;
            while (length < 3 && i + length < body.size() && body[i + length] >= '0' &&
                   body[i + length] <= '7')
                ++length;
            append_code_point(text, body.substr(i, length), 8);
            i += length - 1;
        } else if (kind == 'N') {
            return fail(ErrorKind::unsupported, "\\N in a string is not supported");
        } else if (kind != '\n') {  // a line end after a backslash vanishes; other pairs stay
            text += '\\';
            text += kind;
        }
    }
    return text;
}

}  // namespace lockstep::jinja
