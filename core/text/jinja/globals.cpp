// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/globals.h"

#include <algorithm>
#include <array>
#include <clocale>
#include <ctime>

#include "core/text/jinja/access.h"
#include "core/text/jinja/python_text.h"

namespace lockstep::jinja {
namespace {

struct GlobalFunction : Callable {
    Function function;

    GlobalFunction(std::string_view global, Function f)
        : Callable(std::string(global)), function(f) {}
    Result<Value> call(Runtime& runtime, const Arguments& arguments) const override {
        return function(runtime, arguments);
    }
};

constexpr int64_t max_range = 100000;  // as jinja2's sandbox has it

Result<Value> range(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("range", 0, {"start", "stop", "step"}, 1));
    for (const Value& value : given)
        if (!value.is_undefined() && !value.as_integer()) return fail("range wants integers");
    const bool only_stop = given[1].is_undefined();
    const int64_t start = only_stop ? 0 : *given[0].as_integer();
    const int64_t stop = only_stop ? *given[0].as_integer() : *given[1].as_integer();
    const int64_t step = given[2].as_integer().value_or(1);
    if (step == 0) return fail("range: the step cannot be zero");
    std::vector<Value> items;
    int64_t i = start;
    while (step > 0 ? i < stop : i > stop) {
        if (static_cast<int64_t>(items.size()) == max_range)
            return fail("range has more than " + std::to_string(max_range) + " items");
        items.push_back(Value::integer(i));
        if (__builtin_add_overflow(i, step, &i)) break;
    }
    return runtime.make_sequence(std::move(items));
}

Result<Value> dict(Runtime& runtime, const Arguments& arguments) {
    Dict made;
    if (arguments.positional.size() > 1) return fail("dict takes at most one dict");
    if (!arguments.positional.empty()) {
        if (!arguments.positional[0].is_dict()) return fail("dict wants a dict");
        made = arguments.positional[0].as_dict();
    }
    for (const auto& [name, value] : arguments.keyword) {
        const Value key = Value::text(name);
        made.set(*key.hash_key(), key, value);
    }
    return runtime.make_dict(std::move(made));
}

Result<Value> make_namespace(Runtime& runtime, const Arguments& arguments) {
    if (arguments.positional.size() > 1) return fail("namespace takes at most one dict");
    const auto made = runtime.make_namespace();
    LOCKSTEP_TRY(runtime.allocate(sizeof(Namespace) + 64));
    if (!arguments.positional.empty()) {
        if (!arguments.positional[0].is_dict()) return fail("namespace wants a dict");
        for (const auto& [key, value] : arguments.positional[0].as_dict().entries)
            if (key.is_text()) made->attributes.emplace_back(key.bytes(), value);
    }
    for (const auto& [name, value] : arguments.keyword) {
        if (name.starts_with('_')) return fail("a namespace's '" + name + "' begins with _");
        if (Value* old = made->find(name))
            *old = value;
        else
            made->attributes.emplace_back(name, value);
    }
    return Value::of(made);
}

Result<Value> raise_exception(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("raise_exception", 0, {"message"}, 1));
    LOCKSTEP_ASSIGN(const Text message, to_text(runtime, given[0]));
    runtime.refuse(message.bytes());
    return fail(message.bytes());
}

// In the C locale, whatever the program's is.
Result<Value> strftime_now(Runtime& runtime, const Arguments& arguments) {
    LOCKSTEP_ASSIGN(const auto given, arguments.bind("strftime_now", 0, {"format"}, 1));
    if (!given[0].is_text()) return fail("strftime_now wants a format");
    static const locale_t c_locale = newlocale(LC_ALL_MASK, "C", nullptr);
    const std::time_t now = std::chrono::system_clock::to_time_t(runtime.now());
    std::tm local{};
    localtime_r(&now, &local);
    std::array<char, 1024> buffer{};
    // strftime cannot tell "nothing" from "too long": a letter more, and it can.
    const std::string format = given[0].bytes() + "x";
    const size_t size = strftime_l(buffer.data(), buffer.size(), format.c_str(), &local, c_locale);
    if (size == 0) return fail("strftime_now: the date is longer than 1,000 characters");
    return runtime.make_text(
        Text::derived(std::string(buffer.data(), size - 1), given[0].has_input()));
}

struct Global {
    std::string_view name;
    Function function;
};

constexpr auto globals = std::to_array<Global>({
    {"dict", dict},
    {"namespace", make_namespace},
    {"raise_exception", raise_exception},
    {"range", range},
    {"strftime_now", strftime_now},
});

}  // namespace

Value find_global(std::string_view name) {
    const auto* found = std::find_if(globals.begin(), globals.end(),
                                     [name](const Global& global) { return global.name == name; });
    if (found == globals.end()) return Value::undefined(quoted(name) + " is undefined");
    return Value::of(std::shared_ptr<const Callable>(
        std::make_shared<const GlobalFunction>(found->name, found->function)));
}

}  // namespace lockstep::jinja
