// SPDX-License-Identifier: GPL-3.0-or-later
// Expressions.
#include "core/text/jinja/access.h"
#include "core/text/jinja/globals.h"
#include "core/text/jinja/interpreter.h"
#include "core/text/jinja/operators.h"
#include "core/text/jinja/python_text.h"

namespace lockstep::jinja {

Result<Value> Interpreter::evaluate(const Expression& node) {
    Status ready = enter();
    if (ready) ready = step();
    Result<Value> value = Value();
    if (ready)
        value = evaluate_kind(node);
    else
        value = tl::unexpected<Error>(std::move(ready).error());
    leave();
    if (!value) note_line(node.line);
    return value;
}

Result<Value> Interpreter::evaluate_kind(const Expression& node) {
    using Kind = Expression::Kind;
    switch (node.kind) {
        case Kind::literal:
            return node.literal;
        case Kind::name:
            return lookup(node.name);
        case Kind::list:
        case Kind::tuple: {
            LOCKSTEP_ASSIGN(std::vector<Value> items, evaluate_all(node.parts));
            const bool tuple = node.kind == Kind::tuple;
            return make_sequence(std::move(items),
                                 tuple ? Sequence::Form::tuple : Sequence::Form::list);
        }
        case Kind::dict:
            return evaluate_dict(node);
        case Kind::negate:
        case Kind::plus: {
            LOCKSTEP_ASSIGN(const Value value, evaluate(*node.parts[0]));
            return node.kind == Kind::negate ? negate(value)
                                             : arithmetic(*this, "+", Value::integer(0), value);
        }
        case Kind::logical_not: {
            LOCKSTEP_ASSIGN(const Value value, evaluate(*node.parts[0]));
            return Value::boolean(!value.truth());
        }
        case Kind::logical_and:
        case Kind::logical_or:
            return evaluate_logical(node);
        case Kind::arithmetic: {
            LOCKSTEP_ASSIGN(const Value left, evaluate(*node.parts[0]));
            LOCKSTEP_ASSIGN(const Value right, evaluate(*node.parts[1]));
            return arithmetic(*this, node.symbol, left, right);
        }
        case Kind::concat:
            return evaluate_concat(node);
        case Kind::compare:
            return evaluate_compare(node);
        case Kind::conditional:
            return evaluate_conditional(node);
        case Kind::attribute: {
            LOCKSTEP_ASSIGN(const Value value, evaluate(*node.parts[0]));
            return get_attribute(*this, value, node.name);
        }
        case Kind::item: {
            LOCKSTEP_ASSIGN(const Value value, evaluate(*node.parts[0]));
            LOCKSTEP_ASSIGN(const Value key, evaluate(*node.parts[1]));
            if (value.is_text()) LOCKSTEP_TRY(charge(value));
            return get_item(*this, value, key);
        }
        case Kind::slice:
            return evaluate_slice(node);
        case Kind::call:
            return evaluate_call(node);
        case Kind::filter:
        case Kind::test:
            return evaluate_applied(node);
    }
    return Value();
}

Value Interpreter::lookup(const std::string& name) const {
    for (const Frame* frame = frame_.get(); frame; frame = frame->parent.get()) {
        const auto found = frame->variables.find(name);
        if (found != frame->variables.end()) return found->second;
    }
    return find_global(name);
}

Result<std::vector<Value>> Interpreter::evaluate_all(const std::vector<ExpressionPtr>& parts) {
    std::vector<Value> values;
    for (const ExpressionPtr& part : parts) {
        LOCKSTEP_ASSIGN(Value value, evaluate(*part));
        values.push_back(std::move(value));
    }
    return values;
}

Result<Value> Interpreter::evaluate_dict(const Expression& node) {
    LOCKSTEP_ASSIGN(std::vector<Value> parts, evaluate_all(node.parts));
    Dict dict;
    for (size_t i = 0; i + 1 < parts.size(); i += 2) {
        const auto key = parts[i].hash_key();
        if (!key) return fail("a " + std::string(parts[i].type_name()) + " cannot be a dict's key");
        dict.set(*key, std::move(parts[i]), std::move(parts[i + 1]));
    }
    return make_dict(std::move(dict));
}

Result<Value> Interpreter::evaluate_logical(const Expression& node) {
    LOCKSTEP_ASSIGN(Value left, evaluate(*node.parts[0]));
    const bool decided = left.truth() == (node.kind == Expression::Kind::logical_or);
    if (decided) return left;
    return evaluate(*node.parts[1]);
}

Result<Value> Interpreter::evaluate_compare(const Expression& node) {
    LOCKSTEP_ASSIGN(Value left, evaluate(*node.parts[0]));
    for (size_t i = 0; i < node.symbols.size(); ++i) {
        LOCKSTEP_ASSIGN(Value right, evaluate(*node.parts[i + 1]));
        LOCKSTEP_TRY(charge(right));
        LOCKSTEP_ASSIGN(const bool holds, compare(node.symbols[i], left, right));
        if (!holds) return Value::boolean(false);
        left = std::move(right);
    }
    return Value::boolean(true);
}

Result<Value> Interpreter::evaluate_concat(const Expression& node) {
    Text joined;
    for (const ExpressionPtr& part : node.parts) {
        LOCKSTEP_ASSIGN(const Value value, evaluate(*part));
        LOCKSTEP_ASSIGN(const Text text, to_text(*this, value));
        LOCKSTEP_TRY(check_string(joined.size() + text.size()));
        joined.append(text);
    }
    return make_text(std::move(joined));
}

Result<Value> Interpreter::evaluate_conditional(const Expression& node) {
    LOCKSTEP_ASSIGN(const Value condition, evaluate(*node.parts[1]));
    if (condition.truth()) return evaluate(*node.parts[0]);
    if (node.parts.size() > 2) return evaluate(*node.parts[2]);
    return Value::undefined("this inline if was false and has no else");
}

Result<Value> Interpreter::evaluate_slice(const Expression& node) {
    LOCKSTEP_ASSIGN(const Value value, evaluate(*node.parts[0]));
    SliceBounds bounds;
    std::optional<int64_t>* const targets[] = {&bounds.start, &bounds.stop, &bounds.step};
    for (size_t i = 0; i < 3; ++i) {
        if (!node.parts[i + 1]) continue;
        LOCKSTEP_ASSIGN(const Value bound, evaluate(*node.parts[i + 1]));
        if (bound.is_none()) continue;
        *targets[i] = bound.as_integer();
        if (!*targets[i]) return fail("a slice's bounds must be integers");
    }
    LOCKSTEP_TRY(charge_items(value));
    return get_slice(*this, value, bounds);
}

Status Interpreter::add_arguments(const Expression& node, Arguments& arguments) {
    for (size_t i = 1; i < node.parts.size(); ++i) {
        LOCKSTEP_ASSIGN(Value value, evaluate(*node.parts[i]));
        arguments.positional.push_back(std::move(value));
    }
    for (const auto& [name, part] : node.keywords) {
        LOCKSTEP_ASSIGN(Value value, evaluate(*part));
        arguments.keyword.emplace_back(name, std::move(value));
    }
    return {};
}

Result<Value> Interpreter::evaluate_call(const Expression& node) {
    LOCKSTEP_ASSIGN(const Value callee, evaluate(*node.parts[0]));
    Arguments arguments;
    LOCKSTEP_TRY(add_arguments(node, arguments));
    if (const auto method = callee.as_callable()) LOCKSTEP_TRY(charge(callee));
    return call(callee, std::move(arguments));
}

Result<Value> Interpreter::evaluate_applied(const Expression& node) {
    Value input = block_text_;
    if (node.parts[0]) {
        LOCKSTEP_ASSIGN(input, evaluate(*node.parts[0]));
    }
    Arguments arguments;
    arguments.positional.push_back(std::move(input));
    LOCKSTEP_TRY(add_arguments(node, arguments));
    auto value = node.function->apply(*this, arguments);
    if (!value && !refusal())
        return within((node.kind == Expression::Kind::filter ? "the filter '" : "the test '") +
                          node.name + "'",
                      std::move(value).error());
    return value;
}

}  // namespace lockstep::jinja
