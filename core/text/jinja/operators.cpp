// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/operators.h"

#include <algorithm>
#include <cmath>

namespace lockstep::jinja {
namespace {

tl::unexpected<Error> unsupported(std::string_view symbol, const Value& a, const Value& b) {
    for (const Value* value : {&a, &b})
        if (value->is_undefined()) return fail(value->why_undefined());
    return fail(quoted(symbol) + " does not work between " + std::string(a.type_name()) + " and " +
                std::string(b.type_name()));
}

tl::unexpected<Error> overflow() {
    return fail("an integer became too large (64 bits)");
}
tl::unexpected<Error> zero_division() {
    return fail("division by zero");
}

// Python rounds a quotient down, and its remainder has the divisor's sign.
int64_t floor_quotient(int64_t a, int64_t b) {
    const int64_t quotient = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}
double floor_remainder(double a, double b) {
    const double remainder = std::fmod(a, b);
    return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

Result<Value> integer_power(int64_t base, int64_t exponent) {
    if (exponent < 0) {
        if (base == 0) return zero_division();
        return Value::real(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
    }
    if (base == 0 || base == 1) return Value::integer(exponent == 0 ? 1 : base);
    if (base == -1) return Value::integer(exponent % 2 == 0 ? 1 : -1);
    int64_t power = 1;
    for (int64_t i = 0; i < exponent; ++i)
        if (__builtin_mul_overflow(power, base, &power)) return overflow();
    return Value::integer(power);
}

Result<Value> on_integers(std::string_view symbol, int64_t a, int64_t b) {
    int64_t result = 0;
    bool overflowed = false;
    if (symbol == "+") {
        overflowed = __builtin_add_overflow(a, b, &result);
    } else if (symbol == "-") {
        overflowed = __builtin_sub_overflow(a, b, &result);
    } else if (symbol == "*") {
        overflowed = __builtin_mul_overflow(a, b, &result);
    } else if (symbol == "**") {
        return integer_power(a, b);
    } else if (b == 0) {
        return zero_division();
    } else if (symbol == "/") {
        return Value::real(static_cast<double>(a) / static_cast<double>(b));
    } else if (b == -1) {  // the smallest integer has no opposite
        overflowed = symbol == "//" && __builtin_sub_overflow(int64_t{0}, a, &result);
    } else {
        const int64_t quotient = floor_quotient(a, b);
        result = symbol == "//" ? quotient : a - quotient * b;
    }
    if (overflowed) return overflow();
    return Value::integer(result);
}

Result<Value> on_reals(std::string_view symbol, double a, double b) {
    if (symbol == "+") return Value::real(a + b);
    if (symbol == "-") return Value::real(a - b);
    if (symbol == "*") return Value::real(a * b);
    if (symbol == "**") {
        if (a == 0 && b < 0) return zero_division();
        const double power = std::pow(a, b);
        if (std::isnan(power) && !std::isnan(a) && !std::isnan(b))
            return fail("this power is a complex number");
        if (std::isinf(power) && std::isfinite(a) && std::isfinite(b))
            return fail("this power is too large");
        return Value::real(power);
    }
    if (b == 0) return zero_division();
    if (symbol == "/") return Value::real(a / b);
    const double remainder = floor_remainder(a, b);
    return Value::real(symbol == "%" ? remainder : std::round((a - remainder) / b));
}

Result<Value> repeat(Runtime& runtime, const Value& value, int64_t times) {
    const auto count = static_cast<size_t>(std::max<int64_t>(times, 0));
    const size_t size = value.is_text() ? value.as_text().size() : value.items().size();
    const size_t limit = value.is_text() ? runtime.limits().string_bytes : runtime.limits().items;
    if (size > 0 && count > limit / size)
        return lockstep::fail(ErrorKind::unsupported, "'*' makes more than " +
                                                          std::to_string(limit) +
                                                          (value.is_text() ? " bytes" : " items"));
    if (value.is_text()) {
        Text text;
        for (size_t i = 0; i < (size ? count : 0); ++i) text.append(value.as_text());
        return runtime.make_text(std::move(text));
    }
    std::vector<Value> items;
    for (size_t i = 0; i < (size ? count : 0); ++i)
        items.insert(items.end(), value.items().begin(), value.items().end());
    return runtime.make_sequence(std::move(items), value.as_sequence().form);
}

bool can_repeat(const Value& value) {
    return value.is_text() || value.is_form(Sequence::Form::list) ||
           value.is_form(Sequence::Form::tuple);
}

Result<Value> join(Runtime& runtime, const Value& a, const Value& b) {
    if (a.is_text()) {
        LOCKSTEP_TRY(runtime.check_string(a.as_text().size() + b.as_text().size()));
        Text text = a.as_text();
        text.append(b.as_text());
        return runtime.make_text(std::move(text));
    }
    std::vector<Value> items = a.items();
    items.insert(items.end(), b.items().begin(), b.items().end());
    return runtime.make_sequence(std::move(items), a.as_sequence().form);
}

bool can_join(const Value& a, const Value& b) {
    if (a.is_text()) return b.is_text();
    return can_repeat(a) && b.is_sequence() && a.as_sequence().form == b.as_sequence().form;
}

Result<bool> less_items(const std::vector<Value>& a, const std::vector<Value>& b) {
    const size_t common = std::min(a.size(), b.size());
    for (size_t i = 0; i < common; ++i)
        if (!equal(a[i], b[i])) return less(a[i], b[i]);
    return a.size() < b.size();
}

}  // namespace

Result<Value> arithmetic(Runtime& runtime, std::string_view symbol, const Value& a,
                         const Value& b) {
    if (a.is_number() && b.is_number()) {
        const auto left = a.as_integer(), right = b.as_integer();
        return left && right ? on_integers(symbol, *left, *right)
                             : on_reals(symbol, a.as_real(), b.as_real());
    }
    if (symbol == "+" && can_join(a, b)) return join(runtime, a, b);
    if (symbol == "*" && can_repeat(a) && b.as_integer())
        return repeat(runtime, a, *b.as_integer());
    if (symbol == "*" && can_repeat(b) && a.as_integer())
        return repeat(runtime, b, *a.as_integer());
    if (symbol == "%" && a.is_text()) return format_percent(runtime, a.as_text(), b);
    return unsupported(symbol, a, b);
}

Result<Value> negate(const Value& value) {
    if (value.is_real()) return Value::real(-value.as_real());
    if (const auto integer = value.as_integer()) return on_integers("-", 0, *integer);
    if (value.is_undefined()) return fail(value.why_undefined());
    return fail("'-' does not work on " + std::string(value.type_name()));
}

Result<bool> less(const Value& a, const Value& b) {
    if (a.is_number() && b.is_number()) {
        const auto left = a.as_integer(), right = b.as_integer();
        return left && right ? *left < *right : a.as_real() < b.as_real();
    }
    // Code points in order are bytes in order: that is what UTF-8 is made for.
    if (a.is_text() && b.is_text()) return a.bytes() < b.bytes();
    if (!a.is_text() && can_join(a, b)) return less_items(a.items(), b.items());
    return unsupported("<", a, b);
}

Result<bool> contains(const Value& container, const Value& item) {
    if (container.is_undefined()) return false;
    if (container.is_text()) {
        if (!item.is_text()) return unsupported("in", item, container);
        return container.bytes().find(item.bytes()) != std::string::npos;
    }
    if (container.is_dict()) {
        if (!item.hash_key() && !item.is_undefined()) return unsupported("in", item, container);
        return container.as_dict().find(item) != nullptr;
    }
    if (!container.is_sequence()) return unsupported("in", item, container);
    const auto same = [&item](const Value& other) { return equal(item, other); };
    return std::any_of(container.items().begin(), container.items().end(), same);
}

Result<bool> compare(std::string_view symbol, const Value& a, const Value& b) {
    if (symbol == "==") return equal(a, b);
    if (symbol == "!=") return !equal(a, b);
    if (symbol == "in") return contains(b, a);
    if (symbol == "not in") {
        LOCKSTEP_ASSIGN(const bool inside, contains(b, a));
        return !inside;
    }
    const bool is_nan =
        (a.is_real() && std::isnan(a.as_real())) || (b.is_real() && std::isnan(b.as_real()));
    if (is_nan && a.is_number() && b.is_number()) return false;
    const bool swapped = symbol == ">" || symbol == "<=";
    LOCKSTEP_ASSIGN(const bool is_less, swapped ? less(b, a) : less(a, b));
    return symbol.size() == 1 ? is_less : !is_less;
}

}  // namespace lockstep::jinja
