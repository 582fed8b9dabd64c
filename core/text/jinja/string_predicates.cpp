// SPDX-License-Identifier: GPL-3.0-or-later
// str.isdigit and its like.
#include <unicode/uchar.h>

#include <algorithm>
#include <array>

#include "core/base/utf8.h"
#include "core/text/jinja/methods.h"

namespace lockstep::jinja {
namespace {

bool is_alpha(UChar32 c) {
    return u_isalpha(c);
}
bool is_digit(UChar32 c) {
    const auto type = u_getIntPropertyValue(c, UCHAR_NUMERIC_TYPE);
    return type == U_NT_DECIMAL || type == U_NT_DIGIT;
}
bool is_decimal(UChar32 c) {
    return u_getIntPropertyValue(c, UCHAR_NUMERIC_TYPE) == U_NT_DECIMAL;
}
bool is_numeric(UChar32 c) {
    return u_getIntPropertyValue(c, UCHAR_NUMERIC_TYPE) != U_NT_NONE;
}
bool is_alnum(UChar32 c) {
    return is_alpha(c) || is_numeric(c);
}
bool is_blank(UChar32 c) {
    return is_space(static_cast<char32_t>(c));
}

// True where there is a code point, and all of them are such.
template <bool (*Is)(UChar32)>
Result<Value> all_are(Runtime&, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind("this test of a string", 1, {}));
    const std::string& text = arguments.positional[0].bytes();
    bool all = !text.empty();
    for (size_t at = 0; all && at < text.size();) {
        const CodePoint c = code_point_at(text, at);
        all = Is(static_cast<UChar32>(c.value));
        at += c.length;
    }
    return Value::boolean(all);
}

// True where there is a cased letter, and none is of the other case.
template <UProperty Wanted, UProperty Other>
Result<Value> cased_as(Runtime&, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind("this test of a string", 1, {}));
    const std::string& text = arguments.positional[0].bytes();
    bool found = false;
    for (size_t at = 0; at < text.size();) {
        const CodePoint c = code_point_at(text, at);
        if (u_hasBinaryProperty(static_cast<UChar32>(c.value), Other)) return Value::boolean(false);
        found = found || u_hasBinaryProperty(static_cast<UChar32>(c.value), Wanted);
        at += c.length;
    }
    return Value::boolean(found);
}

struct Predicate {
    std::string_view name;
    Function function;
};

constexpr auto predicates = std::to_array<Predicate>({
    {"isalnum", all_are<is_alnum>},
    {"isalpha", all_are<is_alpha>},
    {"isdecimal", all_are<is_decimal>},
    {"isdigit", all_are<is_digit>},
    {"islower", cased_as<UCHAR_LOWERCASE, UCHAR_UPPERCASE>},
    {"isnumeric", all_are<is_numeric>},
    {"isspace", all_are<is_blank>},
    {"isupper", cased_as<UCHAR_UPPERCASE, UCHAR_LOWERCASE>},
});

}  // namespace

Function find_string_predicate(std::string_view name) {
    const auto* found = std::find_if(predicates.begin(), predicates.end(),
                                     [name](const Predicate& p) { return p.name == name; });
    return found == predicates.end() ? nullptr : found->function;
}

}  // namespace lockstep::jinja
