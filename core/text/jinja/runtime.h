// SPDX-License-Identifier: GPL-3.0-or-later
// What filters, tests and functions of a template share: the bounds on its expansion, the clock,
// and how values are made and called.
#pragma once

#include <chrono>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text/jinja/value.h"
#include "kernels/status.h"

namespace lockstep::jinja {

struct Limits {
    int64_t steps = 2'000'000;               // expressions and statements evaluated
    size_t string_bytes = size_t{16} << 20;  // of one string, and of the output
    size_t total_bytes = size_t{256} << 20;  // of everything made while rendering
    size_t items = 1'000'000;                // of one list
    int call_depth = 60;                     // macros within macros
    int value_depth = 100;                   // lists within lists
    int64_t value_weight = 4'000'000;        // see Extent

    // With what a longer conversation rightly takes on top. `weight` is its Extent's.
    Limits for_input(int64_t weight) const;
};

struct Arguments {
    std::vector<Value> positional;
    std::vector<std::pair<std::string, Value>> keyword;

    // One value per name, by position, then by keyword; undefined where not given. `skip`
    // positional arguments (a filter's input) come before the names. The error names `what`.
    Result<std::vector<Value>> bind(std::string_view what, size_t skip,
                                    std::initializer_list<std::string_view> names,
                                    size_t required = 0) const;
};

// What a filter or a test is applied to, or whose method is called.
inline const Value& input_of(const Arguments& arguments) {
    return arguments.positional[0];
}

class Runtime {
  public:
    Runtime(const Limits& limits, std::chrono::system_clock::time_point now)
        : limits_(limits), now_(now) {}
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;
    virtual ~Runtime() = default;

    const Limits& limits() const { return limits_; }
    std::chrono::system_clock::time_point now() const { return now_; }

    // Counted against the limits.
    Status step(int64_t count = 1);
    Status allocate(size_t bytes);
    Status charge(const Value& value);        // steps, as it takes to walk through it
    Status charge_items(const Value& value);  // as it takes to walk over a list, not into it
    Status check_extent(const Value& value) const;
    Status check_string(size_t bytes) const;  // before one of that size is built
    Result<Value> make_text(Text text);
    Result<Value> make_sequence(std::vector<Value> items,
                                Sequence::Form form = Sequence::Form::list);
    Result<Value> make_dict(Dict dict);
    std::shared_ptr<Namespace> make_namespace();

    virtual Result<Value> call(const Value& callee, Arguments arguments) = 0;

    // raise_exception's message: the template refused the conversation.
    const std::optional<std::string>& refusal() const { return refusal_; }
    void refuse(std::string message) { refusal_ = std::move(message); }

  protected:
    // Kept until the end and emptied then: what refers to itself is freed all the same.
    std::vector<std::shared_ptr<Namespace>> namespaces_;

  private:
    Limits limits_;
    std::chrono::system_clock::time_point now_;
    int64_t steps_ = 0;
    size_t allocated_ = 0;
    std::optional<std::string> refusal_;
};

// A filter, a test or a function by its name. arguments.positional[0] is what a filter or a test is
// applied to.
using Function = Result<Value> (*)(Runtime&, const Arguments& arguments);

struct NamedFunction {
    std::string_view name;
    Function function;
    bool over_items = false;  // walks over the items of a list at most, not into them

    // Charged, then called.
    Result<Value> apply(Runtime& runtime, const Arguments& arguments) const;
};

struct Callable {
    std::string name;
    Extent extent;
    bool walks_arguments = true;  // not only hands them on

    explicit Callable(std::string callable_name) : name(std::move(callable_name)) {}
    Callable(const Callable&) = delete;
    Callable& operator=(const Callable&) = delete;
    virtual ~Callable() = default;
    virtual Result<Value> call(Runtime& runtime, const Arguments& arguments) const = 0;
};

inline tl::unexpected<Error> fail(std::string message) {
    return lockstep::fail(ErrorKind::invalid_argument, std::move(message));
}

}  // namespace lockstep::jinja
