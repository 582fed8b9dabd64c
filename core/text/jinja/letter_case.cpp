// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/letter_case.h"

#include <unicode/uchar.h>
#include <unicode/ustring.h>

#include <array>

#include "core/base/utf8.h"

namespace lockstep::jinja {
namespace {

enum class Form { upper, lower, title };

// One code point's full mapping, which may be several ("ß" gives "SS").
std::string mapped(char32_t value, Form form) {
    std::array<UChar, 4> in{};
    std::array<UChar, 16> out{};
    int32_t length = 0, size = 0;
    UErrorCode error = U_ZERO_ERROR;
    const auto code_point = static_cast<UChar32>(value);
    if (form == Form::title) {
        std::string text;
        append_utf8(text, static_cast<char32_t>(u_totitle(code_point)));
        return text;
    }
    u_strFromUTF32(in.data(), in.size(), &length, &code_point, 1, &error);
    const auto map = form == Form::upper ? u_strToUpper : u_strToLower;
    size = map(out.data(), out.size(), in.data(), length, "", &error);
    std::array<char, 64> bytes{};
    int32_t written = 0;
    u_strToUTF8(bytes.data(), bytes.size(), &written, out.data(), size, &error);
    return U_SUCCESS(error) ? std::string(bytes.data(), static_cast<size_t>(written)) : "";
}

// form_of(is the first, follows a letter) says what each code point becomes.
template <class FormOf>
Text map_each(const Text& text, FormOf form_of) {
    Text out;
    const std::string& bytes = text.bytes();
    bool after_letter = false;
    for (size_t at = 0; at < bytes.size();) {
        const CodePoint c = code_point_at(bytes, at);
        const Text original = text.slice(at, at + c.length);
        if (c.valid)
            out.append(Text::derived(mapped(c.value, form_of(at == 0, after_letter)),
                                     original.has_input()));
        else
            out.append(original);
        after_letter = u_hasBinaryProperty(static_cast<UChar32>(c.value), UCHAR_CASED);
        at += c.length;
    }
    return out;
}

}  // namespace

Text upper(const Text& text) {
    return map_each(text, [](bool, bool) { return Form::upper; });
}

Text lower(const Text& text) {
    return map_each(text, [](bool, bool) { return Form::lower; });
}

Text capitalize(const Text& text) {
    return map_each(text, [](bool first, bool) { return first ? Form::title : Form::lower; });
}

Text title(const Text& text) {
    return map_each(text, [](bool, bool after) { return after ? Form::lower : Form::title; });
}

std::string case_folded(std::string_view text) {
    return lower(Text(std::string(text))).bytes();
}

}  // namespace lockstep::jinja
