// SPDX-License-Identifier: GPL-3.0-or-later
// A parsed template: a tree of statements and expressions. Depth is bounded by the parser, so that
// walking (and freeing) it cannot exhaust the stack.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/text/jinja/runtime.h"
#include "core/text/jinja/value.h"

namespace lockstep::jinja {

struct Expression;
struct Statement;
using ExpressionPtr = std::unique_ptr<Expression>;
using Body = std::vector<std::unique_ptr<Statement>>;

struct Expression {
    enum class Kind : uint8_t {
        literal,  // literal
        name,     // name
        list,
        tuple,  // parts
        dict,   // parts: key, value, key, value, ...
        negate,
        plus,
        logical_not,  // parts[0]
        logical_and,
        logical_or,   // parts[0], parts[1]
        arithmetic,   // parts[0] symbol parts[1]: + - * / // % **
        concat,       // parts, joined as strings
        compare,      // parts[0] symbols[0] parts[1] symbols[1] parts[2] ...
        conditional,  // parts[0] if parts[1] else parts[2] (which may be absent)
        attribute,    // parts[0].name
        item,         // parts[0][parts[1]]
        slice,        // parts[0][parts[1]:parts[2]:parts[3]], each may be null
        call,         // parts[0](parts[1:], keywords)
        filter,
        test,  // parts[0] | name(parts[1:], keywords); function
    };
    Kind kind = Kind::literal;
    int line = 1;
    int depth = 1;
    Value literal;
    std::string name;
    std::string symbol;
    std::vector<std::string> symbols;
    std::vector<ExpressionPtr> parts;
    std::vector<std::pair<std::string, ExpressionPtr>> keywords;
    const NamedFunction* function = nullptr;
};

// What is assigned to: a name, a namespace's attribute, or a tuple of targets.
struct Target {
    std::string name;
    std::string attribute;      // of the namespace `name`
    std::vector<Target> parts;  // a tuple, if not empty
    int line = 1;
};

struct Parameter {
    std::string name;
    ExpressionPtr fallback;  // null: none
};

struct Statement {
    enum class Kind : uint8_t {
        data,          // text
        output,        // value
        conditional,   // if value: body, else: other
        loop,          // for target in value if condition: body, else: other
        set,           // target = value
        set_block,     // target = body, through filter
        with,          // targets = values in a scope of its own
        scope,         // body in a scope of its own (generation, block)
        macro,         // name, parameters, body
        call_block,    // value is the call; parameters, body are the caller's
        filter_block,  // body through filter
        break_loop,
        continue_loop,
    };
    Kind kind = Kind::data;
    int line = 1;
    Value text;
    ExpressionPtr value;
    ExpressionPtr condition;
    ExpressionPtr filter;  // its innermost parts[0] is null: the body's text
    std::vector<Target> targets;
    std::vector<ExpressionPtr> values;
    std::string name;
    std::vector<Parameter> parameters;
    bool recursive = false;
    bool uses_varargs = false, uses_kwargs = false;  // a macro that takes more than its parameters
    Body body, other;
};

struct Program {
    Body body;
};

}  // namespace lockstep::jinja
