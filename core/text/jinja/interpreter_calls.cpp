// SPDX-License-Identifier: GPL-3.0-or-later
// Loops, macros, and what can be called.
#include <algorithm>

#include "core/text/jinja/access.h"
#include "core/text/jinja/interpreter.h"

namespace lockstep::jinja {

struct Macro : Callable {
    Interpreter& interpreter;
    const Statement& node;
    std::shared_ptr<Frame> scope;  // that it was defined in

    Macro(std::string macro, Interpreter& in, const Statement& statement,
          std::shared_ptr<Frame> frame)
        : Callable(std::move(macro)), interpreter(in), node(statement), scope(std::move(frame)) {
        walks_arguments = false;
    }
    Result<Value> call(Runtime&, const Arguments& arguments) const override {
        return interpreter.call_macro(*this, arguments);
    }
};

// loop(items): the loop's body again, for other items.
struct RecursiveLoop : Callable {
    Interpreter& interpreter;
    const Statement& node;
    int depth;  // of the loop that it starts

    RecursiveLoop(Interpreter& in, const Statement& statement, int d)
        : Callable("loop"), interpreter(in), node(statement), depth(d) {
        walks_arguments = false;
    }
    Result<Value> call(Runtime& runtime, const Arguments& arguments) const override {
        LOCKSTEP_ASSIGN(const auto given, arguments.bind("loop", 0, {"iterable"}, 1));
        Text text;
        Text* const outer = std::exchange(interpreter.output_, &text);
        const auto flow = interpreter.run_loop(node, given[0], depth);
        interpreter.output_ = outer;
        if (!flow) return tl::unexpected<Error>(flow.error());
        return runtime.make_text(std::move(text));
    }
};

Result<Value> Interpreter::call(const Value& callee, Arguments arguments) {
    if (callee.is_undefined()) return fail(callee.why_undefined());
    auto callable = callee.as_callable();
    if (const auto loop_state = callee.as_loop()) callable = loop_state->recurse;
    if (!callable) return fail("a " + std::string(callee.type_name()) + " cannot be called");
    for (const Value& argument : arguments.positional)
        LOCKSTEP_TRY(callable->walks_arguments ? charge(argument) : step());
    if (call_depth_ >= limits().call_depth)
        return lockstep::fail(
            ErrorKind::unsupported,
            "calls nest more than " + std::to_string(limits().call_depth) + " deep");
    ++call_depth_;
    auto value = callable->call(*this, arguments);
    --call_depth_;
    return value;
}

Result<Interpreter::Flow> Interpreter::loop(const Statement& node) {
    LOCKSTEP_ASSIGN(const Value iterable, evaluate(*node.value));
    return run_loop(node, iterable, 0);
}

Result<Interpreter::Flow> Interpreter::run_loop(const Statement& node, const Value& iterable,
                                                int depth) {
    auto state = std::make_shared<LoopState>();
    LOCKSTEP_ASSIGN(state->sequence, loop_sequence(node, iterable));
    state->depth0 = depth;
    if (node.recursive)
        state->recurse = std::make_shared<const RecursiveLoop>(*this, node, depth + 1);
    const std::vector<Value>& items = state->sequence.items();
    if (items.empty()) return in_scope(node.other, inner_frame());
    const auto outer = frame_;
    Result<Flow> flow = Flow::normal;
    for (state->index0 = 0; state->index0 < items.size(); ++state->index0) {
        frame_ = outer;
        frame_ = inner_frame();
        frame_->variables["loop"] = Value::of(state);
        Status assigned = step();
        if (assigned) assigned = assign(node.targets.front(), state->item());
        flow = assigned ? execute(node.body) : tl::unexpected<Error>(assigned.error());
        if (!flow || *flow == Flow::break_loop) break;
    }
    frame_ = outer;
    state->index0 = std::min(state->index0, items.size() - 1);
    state->last_changed.reset();  // it may hold the loop itself
    if (!flow) return flow;
    return Flow::normal;
}

// What the loop goes through: a list itself, so that starting a loop over it costs nothing.
Result<Value> Interpreter::loop_sequence(const Statement& node, const Value& iterable) {
    Value all = iterable;
    if (!all.is_sequence()) {
        LOCKSTEP_ASSIGN(std::vector<Value> items, iterate(*this, iterable));
        all = Value::sequence(std::move(items));
    }
    if (!node.condition) return all;
    std::vector<Value> kept;
    const auto outer = frame_;
    Status status;
    for (const Value& item : all.items()) {
        frame_ = outer;
        frame_ = inner_frame();
        status = assign(node.targets.front(), item);
        if (!status) break;
        const auto wanted = evaluate(*node.condition);
        if (!wanted) status = tl::unexpected<Error>(wanted.error());
        if (!status) break;
        if (wanted->truth()) kept.push_back(item);
    }
    frame_ = outer;
    LOCKSTEP_TRY(status);
    return make_sequence(std::move(kept));
}

Value Interpreter::make_macro(const Statement& node, const std::string& name) {
    for (auto frame = frame_; frame && !frame->captured; frame = frame->parent) {
        frame->captured = true;
        captured_frames_.push_back(frame);
    }
    return Value::of(
        std::shared_ptr<const Callable>(std::make_shared<const Macro>(name, *this, node, frame_)));
}

Result<Value> Interpreter::call_macro(const Macro& macro, const Arguments& arguments) {
    auto inner = std::make_shared<Frame>();
    inner->parent = macro.scope;
    const auto outer = std::exchange(frame_, inner);
    Result<Value> value = Value();
    if (const Status bound = bind_parameters(macro, arguments); !bound)
        value = tl::unexpected<Error>(bound.error());
    else
        value = captured(macro.node.body, inner);
    frame_ = outer;
    return value;
}

Status Interpreter::bind_parameters(const Macro& macro, const Arguments& arguments) {
    const auto& parameters = macro.node.parameters;
    auto& variables = frame_->variables;
    if (arguments.positional.size() > parameters.size() && !macro.node.uses_varargs)
        return fail("macro '" + macro.name + "' takes at most " +
                    std::to_string(parameters.size()) + " arguments");
    std::vector<Value> more(
        arguments.positional.begin() +
            static_cast<std::ptrdiff_t>(std::min(parameters.size(), arguments.positional.size())),
        arguments.positional.end());
    Dict rest;
    for (size_t i = 0; i < parameters.size() && i < arguments.positional.size(); ++i)
        variables[parameters[i].name] = arguments.positional[i];
    for (const auto& given : arguments.keyword) {
        const auto& [name, value] = given;
        const bool known = std::any_of(parameters.begin(), parameters.end(),
                                       [&](const Parameter& p) { return p.name == given.first; });
        if (known && variables.contains(name))
            return fail("macro '" + macro.name + "' got its argument '" + name + "' twice");
        if (known || name == "caller") {
            variables[name] = value;
            continue;
        }
        if (!macro.node.uses_kwargs)
            return fail("macro '" + macro.name + "' has no argument '" + name + "'");
        const Value key = Value::text(name);
        rest.set(*key.hash_key(), key, value);
    }
    for (const Parameter& parameter : parameters) {
        if (variables.contains(parameter.name)) continue;
        Value value = Value::undefined("parameter '" + parameter.name + "' was not provided");
        if (parameter.fallback) {
            LOCKSTEP_ASSIGN(value, evaluate(*parameter.fallback));
        }
        variables[parameter.name] = std::move(value);
    }
    if (!variables.contains("caller"))
        variables["caller"] = Value::undefined("there is no 'caller': this is no call block");
    LOCKSTEP_ASSIGN(variables["varargs"], make_sequence(std::move(more), Sequence::Form::tuple));
    LOCKSTEP_ASSIGN(variables["kwargs"], make_dict(std::move(rest)));
    return {};
}

}  // namespace lockstep::jinja
