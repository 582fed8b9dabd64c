// SPDX-License-Identifier: GPL-3.0-or-later
// Tokens to a tree, by jinja2's grammar (3.1), with loop controls and transformers' generation tag.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text/jinja/ast.h"
#include "core/text/jinja/lexer.h"

namespace lockstep::jinja {

// An error begins with "line N: " and names the construct.
Result<Program> parse(std::string_view source);

class Parser {
  public:
    explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}
    Result<Program> run();

  private:
    using Kind = Token::Kind;
    using Parse = Result<ExpressionPtr> (Parser::*)();
    // Counts nesting while it lives.
    struct Nested {
        int& depth;
        explicit Nested(int& d) : depth(d) { ++depth; }
        ~Nested() { --depth; }
        Nested(const Nested&) = delete;
        Nested& operator=(const Nested&) = delete;
    };

    const Token& current() const { return tokens_[at_]; }
    const Token& look() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
    const Token& next();
    bool at_symbol(std::string_view text) const;
    bool at_name(std::string_view text) const;
    bool skip_symbol(std::string_view text);
    bool skip_name(std::string_view text);
    tl::unexpected<Error> unexpected(const std::string& wanted) const;
    Status expect_symbol(std::string_view text);
    Status expect_name(std::string_view text);
    Status expect(Kind kind);
    Result<std::string> expect_identifier();
    Status check_depth(int line) const;

    // parser_statements.cpp
    Result<Body> body(std::initializer_list<std::string_view> ends);
    Result<Body> block(std::initializer_list<std::string_view> ends);
    Status finish_block(Body& into, std::string_view end);
    Status statement(Body& into);
    Status conditional(Body& into);
    Status loop(Body& into);
    Status set(Body& into);
    Status with(Body& into);
    Status scope(Body& into, const std::string& tag);
    Status macro(Body& into);
    Status macro_body(Statement& node, std::string_view end);
    Status call_block(Body& into);
    Status filter_block(Body& into);
    Status print(Body& into);
    Status loop_control(Body& into, Statement::Kind kind);
    Status parameters(std::vector<Parameter>& into);
    Result<Target> target(bool with_tuple, bool with_attribute);
    Result<Target> single_target(bool with_attribute);

    // parser_expressions.cpp
    Result<ExpressionPtr> expression();
    Result<ExpressionPtr> tuple(bool with_conditional = true, bool parenthesised = false);
    bool at_tuple_end() const;
    Result<ExpressionPtr> conditional_expression();
    Result<ExpressionPtr> logical_or();
    Result<ExpressionPtr> logical_and();
    Result<ExpressionPtr> logical_not();
    Result<ExpressionPtr> compare();
    Result<std::string> comparison();  // its symbol; "" where none follows
    Result<ExpressionPtr> sum();
    Result<ExpressionPtr> concat();
    Result<ExpressionPtr> product();
    Result<ExpressionPtr> power();
    Result<ExpressionPtr> arithmetic(Parse operand,
                                     std::initializer_list<std::string_view> symbols);
    Result<ExpressionPtr> unary(bool with_filter = true);
    Result<ExpressionPtr> primary();
    Result<ExpressionPtr> name_or_constant();
    Result<ExpressionPtr> list();
    Result<ExpressionPtr> dict();
    Result<ExpressionPtr> postfix(ExpressionPtr node);
    Result<ExpressionPtr> filters_and_tests(ExpressionPtr node);
    Result<ExpressionPtr> attribute(ExpressionPtr node);
    Result<ExpressionPtr> subscript(ExpressionPtr node);
    Result<ExpressionPtr> call(ExpressionPtr node);
    Status call_arguments(Expression& node);
    Result<ExpressionPtr> filter(ExpressionPtr node);  // after the |
    Result<ExpressionPtr> test(ExpressionPtr node);

    ExpressionPtr make(Expression::Kind kind, int line) const;
    // Takes a part in; refuses a tree that is too deep.
    Status adopt(Expression& node, ExpressionPtr part) const;

    std::vector<Token> tokens_;
    size_t at_ = 0;
    int nesting_ = 0;
    bool varargs_ = false, kwargs_ = false;  // seen since the last macro's start
    int loops_ = 0;                          // open around here, up to the next macro
};

}  // namespace lockstep::jinja
