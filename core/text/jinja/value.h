// SPDX-License-Identifier: GPL-3.0-or-later
// What a template's expressions are made of: Python's values as far as chat templates use them. All
// but a namespace are immutable, as in the sandbox that transformers runs templates in.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "core/text/jinja/text.h"

namespace lockstep::jinja {

class Value;
struct Callable;
struct LoopState;

// What a value and all that it holds amount to, known without walking through it: values may share
// what they hold, so that a walk could take exponentially long.
struct Extent {
    int depth = 0;       // of values within values
    int64_t weight = 1;  // values, and bytes of text / 64
    bool input = false;  // some of it came from a message or a tool

    void hold(const Extent& inner);
};

// A list, a tuple, or what Python gives as a generator (map, select, ...): always true, no length.
struct Sequence {
    enum class Form : uint8_t { list, tuple, generator };
    Form form = Form::list;
    std::vector<Value> items;
    Extent extent;
};

// Keys in the order in which they came, as Python keeps them.
struct Dict {
    std::vector<std::pair<Value, Value>> entries;
    std::unordered_map<std::string, size_t> index;  // of hash_key()
    Extent extent;

    const Value* find(const Value& key) const;
    const Value* find(std::string_view key) const;
    void set(const std::string& hash_key, Value key, Value value);
};

struct Namespace {
    std::vector<std::pair<std::string, Value>> attributes;

    Value* find(std::string_view name);
};

class Value {
  public:
    Value() = default;  // undefined, with no more to say about it
    static Value undefined(std::string why);
    static Value none() { return Value(Data(None{})); }
    static Value boolean(bool value) { return Value(Data(value)); }
    static Value integer(int64_t value) { return Value(Data(value)); }
    static Value real(double value) { return Value(Data(value)); }
    static Value text(Text text);
    static Value text(std::string_view template_text) {
        return text(Text(std::string(template_text)));
    }
    static Value sequence(std::vector<Value> items, Sequence::Form form = Sequence::Form::list);
    static Value dict(Dict dict);
    static Value of(std::shared_ptr<Namespace> value) { return Value(Data(std::move(value))); }
    static Value of(std::shared_ptr<const Callable> value) { return Value(Data(std::move(value))); }
    static Value of(std::shared_ptr<LoopState> value) { return Value(Data(std::move(value))); }

    bool is_undefined() const { return is<Undefined>(); }
    bool is_none() const { return is<None>(); }
    bool is_boolean() const { return is<bool>(); }
    bool is_integer() const { return is<int64_t>(); }  // not a boolean
    bool is_real() const { return is<double>(); }
    bool is_number() const { return is_boolean() || is_integer() || is_real(); }
    bool is_text() const { return is<std::shared_ptr<const Text>>(); }
    bool is_sequence() const { return is<std::shared_ptr<const Sequence>>(); }
    bool is_form(Sequence::Form form) const { return is_sequence() && as_sequence().form == form; }
    bool is_dict() const { return is<std::shared_ptr<const Dict>>(); }

    // Only of a value of that kind.
    const std::string& why_undefined() const;
    const Text& as_text() const { return *std::get<std::shared_ptr<const Text>>(data_); }
    const std::string& bytes() const { return as_text().bytes(); }
    const Sequence& as_sequence() const {
        return *std::get<std::shared_ptr<const Sequence>>(data_);
    }
    const std::vector<Value>& items() const { return as_sequence().items; }
    const Dict& as_dict() const { return *std::get<std::shared_ptr<const Dict>>(data_); }
    double as_real() const;  // of any number
    // Null where the value is of another kind.
    std::shared_ptr<Namespace> as_namespace() const { return pointer<Namespace>(); }
    std::shared_ptr<const Callable> as_callable() const { return pointer<const Callable>(); }
    std::shared_ptr<LoopState> as_loop() const { return pointer<LoopState>(); }
    // A boolean or an integer: Python takes True for 1.
    std::optional<int64_t> as_integer() const;

    bool truth() const;
    Extent extent() const;
    bool has_input() const { return extent().input; }
    // Python's name of its type: "str", "int", "dict", ...
    std::string_view type_name() const;
    // Equal where Python's == is; nothing where a value can be no dict's key.
    std::optional<std::string> hash_key() const;

  private:
    struct Undefined {
        std::shared_ptr<const std::string> why;
    };
    struct None {};
    using Data = std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const Text>,
                              std::shared_ptr<const Sequence>, std::shared_ptr<const Dict>,
                              std::shared_ptr<Namespace>, std::shared_ptr<const Callable>,
                              std::shared_ptr<LoopState>>;
    explicit Value(Data data) : data_(std::move(data)) {}
    template <class T>
    bool is() const {
        return std::holds_alternative<T>(data_);
    }
    template <class T>
    std::shared_ptr<T> pointer() const {
        const auto* held = std::get_if<std::shared_ptr<T>>(&data_);
        return held ? *held : nullptr;
    }

    Data data_;
};

// Python's ==.
bool equal(const Value& a, const Value& b);

}  // namespace lockstep::jinja
