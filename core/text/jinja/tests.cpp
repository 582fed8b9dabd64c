// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/tests.h"

#include <algorithm>
#include <array>

#include "core/text/jinja/filters.h"
#include "core/text/jinja/letter_case.h"
#include "core/text/jinja/methods.h"
#include "core/text/jinja/operators.h"

namespace lockstep::jinja {
namespace {

template <bool (Value::*Is)() const>
Result<Value> is(Runtime&, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind("this test", 1, {}));
    return Value::boolean((input_of(arguments).*Is)());
}

template <bool (*Is)(const Value&)>
Result<Value> is_such(Runtime&, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind("this test", 1, {}));
    return Value::boolean(Is(input_of(arguments)));
}

bool is_defined(const Value& value) {
    return !value.is_undefined();
}
bool is_true(const Value& value) {
    return value.is_boolean() && value.truth();
}
bool is_false(const Value& value) {
    return value.is_boolean() && !value.truth();
}
bool is_callable(const Value& value) {
    return value.as_callable() != nullptr;
}
bool is_iterable(const Value& value) {
    return value.is_undefined() || value.is_text() || value.is_sequence() || value.is_dict();
}
// Whatever has a length and items by key.
bool is_sequence(const Value& value) {
    return is_iterable(value) && !value.is_form(Sequence::Form::generator);
}

template <char Symbol>
Result<Value> compares(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("this test", 1, {"other"}, 1));
    LOCKSTEP_TRY(runtime.charge(given[0]));
    constexpr bool or_equal = Symbol == 'l' || Symbol == 'g';
    std::string symbol(1, Symbol);
    if (Symbol == 'l') symbol = "<";
    if (Symbol == 'g') symbol = ">";
    if (or_equal || Symbol == '=' || Symbol == '!') symbol += '=';
    LOCKSTEP_ASSIGN(const bool result, compare(symbol, input_of(arguments), given[0]));
    return Value::boolean(result);
}

Result<Value> is_in(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("in", 1, {"container"}, 1));
    LOCKSTEP_TRY(runtime.charge(given[0]));
    LOCKSTEP_ASSIGN(const bool inside, contains(given[0], input_of(arguments)));
    return Value::boolean(inside);
}

Result<Value> remainder_is(Runtime& runtime, const Value& value, const Value& divisor,
                           int64_t wanted) {
    LOCKSTEP_ASSIGN(const Value rest, arithmetic(runtime, "%", value, divisor));
    return Value::boolean(equal(rest, Value::integer(wanted)));
}
Result<Value> is_even(Runtime& runtime, const Arguments& arguments) {
    return remainder_is(runtime, input_of(arguments), Value::integer(2), 0);
}
Result<Value> is_odd(Runtime& runtime, const Arguments& arguments) {
    return remainder_is(runtime, input_of(arguments), Value::integer(2), 1);
}
Result<Value> is_divisible(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("divisibleby", 1, {"num"}, 1));
    return remainder_is(runtime, input_of(arguments), given[0], 0);
}

template <bool Upper>
Result<Value> is_case(Runtime& runtime, const Arguments& arguments) {
    const Function predicate = find_string_method(Upper ? "isupper" : "islower");
    if (!input_of(arguments).is_text()) return fail("this test wants a string");
    return predicate(runtime, arguments);
}

Result<Value> same_as(Runtime&, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("sameas", 1, {"other"}, 1));
    return Value::boolean(input_of(arguments).type_name() == given[0].type_name() &&
                          equal(input_of(arguments), given[0]));
}

template <const NamedFunction* (*Find)(std::string_view)>
Result<Value> names(Runtime&, const Arguments& arguments) {
    LOCKSTEP_TRY(arguments.bind("this test", 1, {}));
    return Value::boolean(input_of(arguments).is_text() && Find(input_of(arguments).bytes()));
}

constexpr auto tests = std::to_array<NamedFunction>({
    {"boolean", is<&Value::is_boolean>, true},
    {"callable", is_such<is_callable>, true},
    {"defined", is_such<is_defined>, true},
    {"divisibleby", is_divisible},
    {"eq", compares<'='>},
    {"equalto", compares<'='>},
    {"even", is_even},
    {"false", is_such<is_false>, true},
    {"filter", names<find_filter>},
    {"float", is<&Value::is_real>, true},
    {"ge", compares<'g'>},
    {"greaterthan", compares<'>'>},
    {"gt", compares<'>'>},
    {"in", is_in},
    {"integer", is<&Value::is_integer>, true},
    {"iterable", is_such<is_iterable>, true},
    {"le", compares<'l'>},
    {"lessthan", compares<'<'>},
    {"lower", is_case<false>},
    {"lt", compares<'<'>},
    {"mapping", is<&Value::is_dict>, true},
    {"ne", compares<'!'>},
    {"none", is<&Value::is_none>, true},
    {"number", is<&Value::is_number>, true},
    {"odd", is_odd},
    {"sameas", same_as},
    {"sequence", is_such<is_sequence>, true},
    {"string", is<&Value::is_text>, true},
    {"test", names<find_test>},
    {"true", is_such<is_true>, true},
    {"undefined", is<&Value::is_undefined>, true},
    {"upper", is_case<true>},
});

}  // namespace

const NamedFunction* find_test(std::string_view name) {
    const auto* found = std::find_if(tests.begin(), tests.end(), [name](const NamedFunction& test) {
        return test.name == name;
    });
    return found == tests.end() ? nullptr : found;
}

}  // namespace lockstep::jinja
