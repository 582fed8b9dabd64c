// SPDX-License-Identifier: GPL-3.0-or-later
// Expressions, loosest binding first: if, or, and, not, comparisons, + -, ~, * / // %, **, unary.
#include <algorithm>

#include "core/text/jinja/filters.h"
#include "core/text/jinja/parser.h"
#include "core/text/jinja/tests.h"

namespace lockstep::jinja {
namespace {

constexpr int max_depth = 200;

}  // namespace

ExpressionPtr Parser::make(Expression::Kind kind, int line) const {
    auto node = std::make_unique<Expression>();
    node->kind = kind;
    node->line = line;
    return node;
}

Status Parser::adopt(Expression& node, ExpressionPtr part) const {
    if (part) node.depth = std::max(node.depth, part->depth + 1);
    if (node.depth > max_depth)
        return fail_at(node.line,
                       "this expression has more than " + std::to_string(max_depth) + " levels");
    node.parts.push_back(std::move(part));
    return {};
}

Result<ExpressionPtr> Parser::expression() {
    const Nested nested(nesting_);
    LOCKSTEP_TRY(check_depth(current().line));
    return conditional_expression();
}

bool Parser::at_tuple_end() const {
    return current().kind == Kind::variable_end || current().kind == Kind::block_end ||
           at_symbol(")") || at_name("recursive");
}

Result<ExpressionPtr> Parser::tuple(bool with_conditional, bool parenthesised) {
    ExpressionPtr node = make(Expression::Kind::tuple, current().line);
    bool is_tuple = false;
    while (!at_tuple_end()) {
        const Nested nested(nesting_);
        LOCKSTEP_TRY(check_depth(current().line));
        LOCKSTEP_ASSIGN(ExpressionPtr part,
                        with_conditional ? conditional_expression() : logical_or());
        LOCKSTEP_TRY(adopt(*node, std::move(part)));
        if (!skip_symbol(",")) break;
        is_tuple = true;
    }
    if (is_tuple || (parenthesised && node->parts.empty())) return node;
    if (node->parts.empty()) return unexpected("an expression");
    return std::move(node->parts.front());
}

Result<ExpressionPtr> Parser::conditional_expression() {
    LOCKSTEP_ASSIGN(ExpressionPtr node, logical_or());
    while (at_name("if")) {
        ExpressionPtr choice = make(Expression::Kind::conditional, next().line);
        LOCKSTEP_TRY(adopt(*choice, std::move(node)));
        LOCKSTEP_ASSIGN(ExpressionPtr condition, logical_or());
        LOCKSTEP_TRY(adopt(*choice, std::move(condition)));
        if (skip_name("else")) {
            LOCKSTEP_ASSIGN(ExpressionPtr other, expression());
            LOCKSTEP_TRY(adopt(*choice, std::move(other)));
        }
        node = std::move(choice);
    }
    return node;
}

Result<ExpressionPtr> Parser::logical_or() {
    LOCKSTEP_ASSIGN(ExpressionPtr left, logical_and());
    while (at_name("or")) {
        ExpressionPtr node = make(Expression::Kind::logical_or, next().line);
        LOCKSTEP_TRY(adopt(*node, std::move(left)));
        LOCKSTEP_ASSIGN(ExpressionPtr right, logical_and());
        LOCKSTEP_TRY(adopt(*node, std::move(right)));
        left = std::move(node);
    }
    return left;
}

Result<ExpressionPtr> Parser::logical_and() {
    LOCKSTEP_ASSIGN(ExpressionPtr left, logical_not());
    while (at_name("and")) {
        ExpressionPtr node = make(Expression::Kind::logical_and, next().line);
        LOCKSTEP_TRY(adopt(*node, std::move(left)));
        LOCKSTEP_ASSIGN(ExpressionPtr right, logical_not());
        LOCKSTEP_TRY(adopt(*node, std::move(right)));
        left = std::move(node);
    }
    return left;
}

Result<ExpressionPtr> Parser::logical_not() {
    if (!at_name("not")) return compare();
    const Nested nested(nesting_);
    LOCKSTEP_TRY(check_depth(current().line));
    ExpressionPtr node = make(Expression::Kind::logical_not, next().line);
    LOCKSTEP_ASSIGN(ExpressionPtr part, logical_not());
    LOCKSTEP_TRY(adopt(*node, std::move(part)));
    return node;
}

Result<std::string> Parser::comparison() {
    for (const std::string_view symbol : {"==", "!=", "<=", ">=", "<", ">"})
        if (skip_symbol(symbol)) return std::string(symbol);
    if (skip_name("in")) return std::string("in");
    if (!at_name("not") || look().kind != Kind::name || look().text != "in") return std::string();
    next();
    next();
    return std::string("not in");
}

Result<ExpressionPtr> Parser::compare() {
    const int line = current().line;
    LOCKSTEP_ASSIGN(ExpressionPtr first, sum());
    LOCKSTEP_ASSIGN(std::string symbol, comparison());
    if (symbol.empty()) return first;
    ExpressionPtr node = make(Expression::Kind::compare, line);
    LOCKSTEP_TRY(adopt(*node, std::move(first)));
    while (!symbol.empty()) {
        node->symbols.push_back(symbol);
        LOCKSTEP_ASSIGN(ExpressionPtr part, sum());
        LOCKSTEP_TRY(adopt(*node, std::move(part)));
        LOCKSTEP_ASSIGN(symbol, comparison());
    }
    return node;
}

Result<ExpressionPtr> Parser::arithmetic(Parse operand,
                                         std::initializer_list<std::string_view> symbols) {
    LOCKSTEP_ASSIGN(ExpressionPtr left, (this->*operand)());
    const auto here = [this](std::string_view symbol) { return at_symbol(symbol); };
    while (std::any_of(symbols.begin(), symbols.end(), here)) {
        ExpressionPtr node = make(Expression::Kind::arithmetic, current().line);
        node->symbol = next().text;
        LOCKSTEP_TRY(adopt(*node, std::move(left)));
        LOCKSTEP_ASSIGN(ExpressionPtr right, (this->*operand)());
        LOCKSTEP_TRY(adopt(*node, std::move(right)));
        left = std::move(node);
    }
    return left;
}

Result<ExpressionPtr> Parser::sum() {
    return arithmetic(&Parser::concat, {"+", "-"});
}

Result<ExpressionPtr> Parser::concat() {
    LOCKSTEP_ASSIGN(ExpressionPtr first, product());
    if (!at_symbol("~")) return first;
    ExpressionPtr node = make(Expression::Kind::concat, current().line);
    LOCKSTEP_TRY(adopt(*node, std::move(first)));
    while (skip_symbol("~")) {
        LOCKSTEP_ASSIGN(ExpressionPtr part, product());
        LOCKSTEP_TRY(adopt(*node, std::move(part)));
    }
    return node;
}

Result<ExpressionPtr> Parser::product() {
    return arithmetic(&Parser::power, {"*", "/", "//", "%"});
}

// Left to right, as jinja2 has it (Python's ** goes the other way).
Result<ExpressionPtr> Parser::power() {
    LOCKSTEP_ASSIGN(ExpressionPtr left, unary());
    while (at_symbol("**")) {
        ExpressionPtr node = make(Expression::Kind::arithmetic, current().line);
        node->symbol = next().text;
        LOCKSTEP_TRY(adopt(*node, std::move(left)));
        LOCKSTEP_ASSIGN(ExpressionPtr right, unary());
        LOCKSTEP_TRY(adopt(*node, std::move(right)));
        left = std::move(node);
    }
    return left;
}

Result<ExpressionPtr> Parser::unary(bool with_filter) {
    const Nested nested(nesting_);
    LOCKSTEP_TRY(check_depth(current().line));
    ExpressionPtr node;
    if (at_symbol("-") || at_symbol("+")) {
        const bool minus = at_symbol("-");
        node = make(minus ? Expression::Kind::negate : Expression::Kind::plus, next().line);
        LOCKSTEP_ASSIGN(ExpressionPtr part, unary(false));
        LOCKSTEP_TRY(adopt(*node, std::move(part)));
    } else {
        LOCKSTEP_ASSIGN(node, primary());
    }
    LOCKSTEP_ASSIGN(node, postfix(std::move(node)));
    if (with_filter) return filters_and_tests(std::move(node));
    return node;
}

Result<ExpressionPtr> Parser::primary() {
    const Token& token = current();
    if (token.kind == Kind::name) return name_or_constant();
    if (at_symbol("[")) return list();
    if (at_symbol("{")) return dict();
    if (skip_symbol("(")) {
        LOCKSTEP_ASSIGN(ExpressionPtr node, tuple(true, true));
        LOCKSTEP_TRY(expect_symbol(")"));
        return node;
    }
    ExpressionPtr node = make(Expression::Kind::literal, token.line);
    if (token.kind == Kind::string) {
        std::string text;
        while (current().kind == Kind::string) text += next().text;
        node->literal = Value::text(text);
    } else if (token.kind == Kind::integer) {
        node->literal = Value::integer(next().integer);
    } else if (token.kind == Kind::real) {
        node->literal = Value::real(next().real);
    } else {
        return unexpected("an expression");
    }
    return node;
}

Result<ExpressionPtr> Parser::name_or_constant() {
    const Token& token = next();
    const std::string& name = token.text;
    ExpressionPtr node = make(Expression::Kind::literal, token.line);
    if (name == "true" || name == "True") {
        node->literal = Value::boolean(true);
    } else if (name == "false" || name == "False") {
        node->literal = Value::boolean(false);
    } else if (name == "none" || name == "None") {
        node->literal = Value::none();
    } else {
        varargs_ = varargs_ || name == "varargs";
        kwargs_ = kwargs_ || name == "kwargs";
        node->kind = Expression::Kind::name;
        node->name = name;
    }
    return node;
}

Result<ExpressionPtr> Parser::list() {
    ExpressionPtr node = make(Expression::Kind::list, next().line);
    while (!at_symbol("]")) {
        LOCKSTEP_ASSIGN(ExpressionPtr part, expression());
        LOCKSTEP_TRY(adopt(*node, std::move(part)));
        if (!skip_symbol(",")) break;
    }
    LOCKSTEP_TRY(expect_symbol("]"));
    return node;
}

Result<ExpressionPtr> Parser::dict() {
    ExpressionPtr node = make(Expression::Kind::dict, next().line);
    while (!at_symbol("}")) {
        LOCKSTEP_ASSIGN(ExpressionPtr key, expression());
        LOCKSTEP_TRY(adopt(*node, std::move(key)));
        LOCKSTEP_TRY(expect_symbol(":"));
        LOCKSTEP_ASSIGN(ExpressionPtr value, expression());
        LOCKSTEP_TRY(adopt(*node, std::move(value)));
        if (!skip_symbol(",")) break;
    }
    LOCKSTEP_TRY(expect_symbol("}"));
    return node;
}

}  // namespace lockstep::jinja
