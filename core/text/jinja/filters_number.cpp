// SPDX-License-Identifier: GPL-3.0-or-later
// Filters that make numbers, and default.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "core/text/jinja/access.h"
#include "core/text/jinja/filter_tables.h"
#include "core/text/jinja/operators.h"
#include "core/text/jinja/string_edit.h"

namespace lockstep::jinja {
namespace {

// A number's text as Python's int() and float() take it: blanks around it, a plus, single _ within.
std::string plain_number(const Text& text) {
    std::string digits = strip_space(text, true, true).bytes();
    if (digits.starts_with('+') && !digits.starts_with("+-")) digits.erase(0, 1);
    for (size_t i = 1; i + 1 < digits.size(); ++i)
        if (digits[i] == '_' && digits[i - 1] != '_' && digits[i + 1] != '_') digits.erase(i, 1);
    return digits;
}

std::optional<double> parse_real(const Text& text) {
    const std::string digits = plain_number(text);
    double value = 0;
    const char* last = digits.data() + digits.size();
    const auto [end, error] = std::from_chars(digits.data(), last, value);
    if (digits.empty() || end != last || error == std::errc::invalid_argument) return std::nullopt;
    return value;
}

std::optional<int64_t> parse_integer(const Text& text, int base) {
    std::string digits = plain_number(text);
    const bool prefixed = digits.size() > 2 && digits[0] == '0';
    if (prefixed &&
        ((base == 16 && (digits[1] | 0x20) == 'x') || (base == 8 && (digits[1] | 0x20) == 'o') ||
         (base == 2 && (digits[1] | 0x20) == 'b')))
        digits.erase(0, 2);
    int64_t value = 0;
    const char* last = digits.data() + digits.size();
    const auto [end, error] = std::from_chars(digits.data(), last, value, base);
    if (digits.empty() || end != last || error != std::errc()) return std::nullopt;
    return value;
}

std::optional<int64_t> whole(double value) {
    if (!(std::abs(value) < 0x1p63)) return std::nullopt;
    return static_cast<int64_t>(value);
}

Result<Value> to_integer(Runtime&, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("int", 1, {"default", "base"}));
    const Value& value = input_of(arguments);
    const int64_t base = given[1].as_integer().value_or(10);
    if (base < 2 || base > 36) return fail("a base is from 2 to 36");
    std::optional<int64_t> integer = value.as_integer();
    if (value.is_real()) integer = whole(value.as_real());
    if (value.is_text()) {
        integer = parse_integer(value.as_text(), static_cast<int>(base));
        const auto real = integer ? std::nullopt : parse_real(value.as_text());
        if (real) integer = whole(*real);
    }
    if (integer) return Value::integer(*integer);
    return given[0].is_undefined() ? Value::integer(0) : given[0];
}

Result<Value> to_real(Runtime&, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("float", 1, {"default"}));
    const Value& value = input_of(arguments);
    if (value.is_number()) return Value::real(value.as_real());
    if (value.is_text())
        if (const auto real = parse_real(value.as_text())) return Value::real(*real);
    return given[0].is_undefined() ? Value::real(0) : given[0];
}

Result<Value> absolute(Runtime&, const Arguments& arguments) {
    const Value& value = input_of(arguments);
    if (!value.is_number()) return fail("abs wants a number");
    if (value.is_real()) return Value::real(std::abs(value.as_real()));
    return *value.as_integer() < 0 ? negate(value) : Value::integer(*value.as_integer());
}

// To so many decimals, halves to even, as Python does it: by the number's exact value.
double round_common(double value, int precision) {
    std::array<char, 400> buffer{};
    if (precision < 0) {
        const double scale = std::pow(10.0, -precision);
        return std::nearbyint(value / scale) * scale;
    }
    std::snprintf(buffer.data(), buffer.size(), "%.*f", precision, value);
    return std::strtod(buffer.data(), nullptr);
}

Result<Value> round(Runtime&, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("round", 1, {"precision", "method"}));
    const Value& value = input_of(arguments);
    const int64_t precision = given[0].as_integer().value_or(0);
    const std::string method = given[1].is_text() ? given[1].bytes() : "common";
    if (!value.is_number()) return fail("round wants a number");
    if (precision < -20 || precision > 40) return fail("round's precision is from -20 to 40");
    if (method == "common" && value.as_integer() && precision >= 0)
        return Value::integer(*value.as_integer());
    if (method == "common") {
        const double real = round_common(value.as_real(), static_cast<int>(precision));
        const auto integer = value.as_integer() ? whole(real) : std::nullopt;
        return integer ? Value::integer(*integer) : Value::real(real);
    }
    const double scale = std::pow(10.0, static_cast<double>(precision));
    if (method == "ceil") return Value::real(std::ceil(value.as_real() * scale) / scale);
    if (method == "floor") return Value::real(std::floor(value.as_real() * scale) / scale);
    return fail("round's method is common, ceil or floor");
}

Result<Value> sum(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("sum", 1, {"attribute", "start"}));
    LOCKSTEP_ASSIGN(const auto items, iterate(runtime, input_of(arguments)));
    Value total = given[1].is_undefined() ? Value::integer(0) : given[1];
    for (Value item : items) {
        if (!given[0].is_undefined() && !given[0].is_none()) {
            LOCKSTEP_ASSIGN(item, attribute_path(runtime, item, given[0]));
        }
        LOCKSTEP_ASSIGN(total, arithmetic(runtime, "+", total, item));
    }
    return total;
}

Result<Value> count(Runtime&, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind("length", 1, {}));
    LOCKSTEP_ASSIGN(const int64_t size, length(input_of(arguments)));
    return Value::integer(size);
}

Result<Value> fallback(Runtime&, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("default", 1, {"default_value", "boolean"}));
    const Value& value = input_of(arguments);
    const bool missing = value.is_undefined() || (given[1].truth() && !value.truth());
    if (!missing) return value;
    const bool has_default = arguments.positional.size() > 1 || !given[0].is_undefined();
    return has_default ? given[0] : Value::text("");
}

constexpr auto filters_of_numbers = std::to_array<NamedFunction>({
    {"abs", absolute},
    {"count", count, true},
    {"d", fallback, true},
    {"default", fallback, true},
    {"float", to_real},
    {"int", to_integer},
    {"length", count, true},
    {"round", round},
    {"sum", sum},
});

}  // namespace

std::span<const NamedFunction> number_filters() {
    return filters_of_numbers;
}

}  // namespace lockstep::jinja
