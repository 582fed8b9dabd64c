// SPDX-License-Identifier: GPL-3.0-or-later
// What may follow an expression: attributes, subscripts, calls, filters and tests.
#include "core/text/jinja/filters.h"
#include "core/text/jinja/parser.h"
#include "core/text/jinja/tests.h"

namespace lockstep::jinja {

Result<ExpressionPtr> Parser::postfix(ExpressionPtr node) {
    for (;;) {
        if (at_symbol(".")) {
            LOCKSTEP_ASSIGN(node, attribute(std::move(node)));
        } else if (at_symbol("[")) {
            LOCKSTEP_ASSIGN(node, subscript(std::move(node)));
        } else if (at_symbol("(")) {
            LOCKSTEP_ASSIGN(node, call(std::move(node)));
        } else {
            return node;
        }
    }
}

Result<ExpressionPtr> Parser::filters_and_tests(ExpressionPtr node) {
    for (;;) {
        if (skip_symbol("|")) {
            LOCKSTEP_ASSIGN(node, filter(std::move(node)));
        } else if (at_name("is")) {
            LOCKSTEP_ASSIGN(node, test(std::move(node)));
        } else if (at_symbol("(")) {
            LOCKSTEP_ASSIGN(node, call(std::move(node)));
        } else {
            return node;
        }
    }
}

Result<ExpressionPtr> Parser::attribute(ExpressionPtr node) {
    const int line = next().line;
    if (current().kind == Kind::integer) {  // foo.0
        ExpressionPtr item = make(Expression::Kind::item, line);
        ExpressionPtr index = make(Expression::Kind::literal, line);
        index->literal = Value::integer(next().integer);
        LOCKSTEP_TRY(adopt(*item, std::move(node)));
        LOCKSTEP_TRY(adopt(*item, std::move(index)));
        return item;
    }
    ExpressionPtr access = make(Expression::Kind::attribute, line);
    LOCKSTEP_ASSIGN(access->name, expect_identifier());
    LOCKSTEP_TRY(adopt(*access, std::move(node)));
    return access;
}

Result<ExpressionPtr> Parser::subscript(ExpressionPtr node) {
    ExpressionPtr access = make(Expression::Kind::item, next().line);
    LOCKSTEP_TRY(adopt(*access, std::move(node)));
    if (!at_symbol(":")) {
        LOCKSTEP_ASSIGN(ExpressionPtr index, expression());
        LOCKSTEP_TRY(adopt(*access, std::move(index)));
        if (skip_symbol("]")) return access;
        if (!at_symbol(":")) return unexpected("']'");
    } else {
        LOCKSTEP_TRY(adopt(*access, nullptr));
    }
    access->kind = Expression::Kind::slice;
    while (access->parts.size() < 4) {
        ExpressionPtr bound;
        if (skip_symbol(":") && !at_symbol(":") && !at_symbol("]")) {
            LOCKSTEP_ASSIGN(bound, expression());
        }
        LOCKSTEP_TRY(adopt(*access, std::move(bound)));
    }
    LOCKSTEP_TRY(expect_symbol("]"));
    return access;
}

Result<ExpressionPtr> Parser::call(ExpressionPtr node) {
    ExpressionPtr access = make(Expression::Kind::call, current().line);
    LOCKSTEP_TRY(adopt(*access, std::move(node)));
    LOCKSTEP_TRY(call_arguments(*access));
    return access;
}

Status Parser::call_arguments(Expression& node) {
    LOCKSTEP_TRY(expect_symbol("("));
    while (!at_symbol(")")) {
        if (at_symbol("*") || at_symbol("**"))
            return fail_at(current().line,
                           "unpacking arguments with '" + current().text + "' is not supported");
        const bool keyword =
            current().kind == Kind::name && look().kind == Kind::symbol && look().text == "=";
        if (!keyword && !node.keywords.empty())
            return fail_at(current().line, "a positional argument follows a keyword argument");
        std::string name;
        if (keyword) {
            name = next().text;
            next();
        }
        LOCKSTEP_ASSIGN(ExpressionPtr part, expression());
        if (keyword) {
            node.depth = std::max(node.depth, part->depth + 1);
            node.keywords.emplace_back(std::move(name), std::move(part));
        } else {
            LOCKSTEP_TRY(adopt(node, std::move(part)));
        }
        if (!skip_symbol(",")) break;
    }
    return expect_symbol(")");
}

Result<ExpressionPtr> Parser::filter(ExpressionPtr node) {
    ExpressionPtr applied = make(Expression::Kind::filter, current().line);
    LOCKSTEP_ASSIGN(applied->name, expect_identifier());
    applied->function = find_filter(applied->name);
    if (!applied->function)
        return fail_at(applied->line, "there is no filter '" + applied->name + "'");
    LOCKSTEP_TRY(adopt(*applied, std::move(node)));
    if (at_symbol("(")) LOCKSTEP_TRY(call_arguments(*applied));
    return applied;
}

Result<ExpressionPtr> Parser::test(ExpressionPtr node) {
    ExpressionPtr applied = make(Expression::Kind::test, next().line);
    const bool negated = skip_name("not");
    LOCKSTEP_ASSIGN(applied->name, expect_identifier());
    applied->function = find_test(applied->name);
    if (!applied->function)
        return fail_at(applied->line, "there is no test '" + applied->name + "'");
    LOCKSTEP_TRY(adopt(*applied, std::move(node)));
    const bool operand = current().kind == Kind::name || current().kind == Kind::string ||
                         current().kind == Kind::integer || current().kind == Kind::real ||
                         at_symbol("[") || at_symbol("{");
    if (at_name("is")) return fail_at(current().line, "tests with 'is' cannot be chained");
    if (at_symbol("(")) {
        LOCKSTEP_TRY(call_arguments(*applied));
    } else if (operand && !at_name("else") && !at_name("or") && !at_name("and")) {
        LOCKSTEP_ASSIGN(ExpressionPtr argument, primary());
        LOCKSTEP_ASSIGN(argument, postfix(std::move(argument)));
        LOCKSTEP_TRY(adopt(*applied, std::move(argument)));
    }
    if (!negated) return applied;
    ExpressionPtr node_not = make(Expression::Kind::logical_not, applied->line);
    LOCKSTEP_TRY(adopt(*node_not, std::move(applied)));
    return node_not;
}

}  // namespace lockstep::jinja
