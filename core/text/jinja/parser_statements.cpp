// SPDX-License-Identifier: GPL-3.0-or-later
// Statements: what stands between {% and %}.
#include <algorithm>
#include <array>

#include "core/text/jinja/parser.h"

namespace lockstep::jinja {
namespace {

std::unique_ptr<Statement> make_statement(Statement::Kind kind, int line) {
    auto node = std::make_unique<Statement>();
    node->kind = kind;
    node->line = line;
    return node;
}

std::string list_of(std::initializer_list<std::string_view> names) {
    std::string text;
    for (const std::string_view name : names)
        text += (text.empty() ? "'" : " or '") + std::string(name) + "'";
    return text;
}

// Tags of jinja2 that a template standing alone has no use for.
bool needs_other_templates(std::string_view tag) {
    constexpr std::array<std::string_view, 5> tags{"include", "import", "from", "extends",
                                                   "autoescape"};
    return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

}  // namespace

// Statements up to one of `ends` (whose name is the current token then), or to the template's end.
Result<Body> Parser::body(std::initializer_list<std::string_view> ends) {
    const Nested nested(nesting_);
    LOCKSTEP_TRY(check_depth(current().line));
    Body statements;
    const int begin = current().line;
    const auto here = [this](std::string_view end) { return at_name(end); };
    while (current().kind != Kind::end) {
        const Token& token = next();
        if (token.kind == Kind::data) {
            statements.push_back(make_statement(Statement::Kind::data, token.line));
            statements.back()->text = Value::text(token.text);
        } else if (token.kind == Kind::variable_begin) {
            statements.push_back(make_statement(Statement::Kind::output, token.line));
            LOCKSTEP_ASSIGN(statements.back()->value, tuple());
            LOCKSTEP_TRY(expect(Kind::variable_end));
        } else {
            if (std::any_of(ends.begin(), ends.end(), here)) return statements;
            LOCKSTEP_TRY(statement(statements));
            LOCKSTEP_TRY(expect(Kind::block_end));
        }
    }
    if (ends.size() == 0) return statements;
    return fail_at(begin, "the block that begins here has no " + list_of(ends));
}

// What follows a statement's head: its end, then statements up to one of `ends`.
Result<Body> Parser::block(std::initializer_list<std::string_view> ends) {
    skip_symbol(":");
    LOCKSTEP_TRY(expect(Kind::block_end));
    return body(ends);
}

Status Parser::finish_block(Body& into, std::string_view end) {
    LOCKSTEP_ASSIGN(into, block({end}));
    next();
    return {};
}

Status Parser::statement(Body& into) {
    const Token& token = current();
    if (token.kind != Kind::name) return unexpected("a tag's name");
    const std::string& tag = token.text;
    if (tag == "if") return conditional(into);
    if (tag == "for") return loop(into);
    if (tag == "set") return set(into);
    if (tag == "with") return with(into);
    if (tag == "macro") return macro(into);
    if (tag == "call") return call_block(into);
    if (tag == "filter") return filter_block(into);
    if (tag == "print") return print(into);
    if (tag == "generation" || tag == "block") return scope(into, tag);
    if (tag == "break") return loop_control(into, Statement::Kind::break_loop);
    if (tag == "continue") return loop_control(into, Statement::Kind::continue_loop);
    if (needs_other_templates(tag))
        return fail_at(token.line, "the tag '" + tag + "' is not supported");
    return fail_at(token.line, "there is no tag '" + tag + "' here");
}

Status Parser::conditional(Body& into) {
    auto node = make_statement(Statement::Kind::conditional, next().line);
    LOCKSTEP_ASSIGN(node->value, tuple(false));
    LOCKSTEP_ASSIGN(node->body, block({"elif", "else", "endif"}));
    if (at_name("elif")) {
        const Nested nested(nesting_);
        LOCKSTEP_TRY(check_depth(current().line));
        LOCKSTEP_TRY(conditional(node->other));  // ends after the endif
    } else if (skip_name("else")) {
        LOCKSTEP_TRY(finish_block(node->other, "endif"));
    } else {
        next();
    }
    into.push_back(std::move(node));
    return {};
}

Status Parser::loop(Body& into) {
    auto node = make_statement(Statement::Kind::loop, next().line);
    LOCKSTEP_ASSIGN(Target variable, target(true, false));
    node->targets.push_back(std::move(variable));
    LOCKSTEP_TRY(expect_name("in"));
    LOCKSTEP_ASSIGN(node->value, tuple(false));
    if (skip_name("if")) {
        LOCKSTEP_ASSIGN(node->condition, expression());
    }
    node->recursive = skip_name("recursive");
    ++loops_;
    LOCKSTEP_ASSIGN(node->body, block({"endfor", "else"}));
    --loops_;
    if (skip_name("else")) {
        LOCKSTEP_TRY(finish_block(node->other, "endfor"));
    } else {
        next();
    }
    into.push_back(std::move(node));
    return {};
}

Status Parser::set(Body& into) {
    auto node = make_statement(Statement::Kind::set, next().line);
    LOCKSTEP_ASSIGN(Target variable, target(true, true));
    node->targets.push_back(std::move(variable));
    if (skip_symbol("=")) {
        LOCKSTEP_ASSIGN(node->value, tuple());
    } else {
        node->kind = Statement::Kind::set_block;
        while (skip_symbol("|")) {
            LOCKSTEP_ASSIGN(node->filter, filter(std::move(node->filter)));
        }
        LOCKSTEP_TRY(finish_block(node->body, "endset"));
    }
    into.push_back(std::move(node));
    return {};
}

Status Parser::with(Body& into) {
    auto node = make_statement(Statement::Kind::with, next().line);
    while (current().kind != Kind::block_end) {
        if (!node->targets.empty()) LOCKSTEP_TRY(expect_symbol(","));
        LOCKSTEP_ASSIGN(Target variable, target(true, false));
        node->targets.push_back(std::move(variable));
        LOCKSTEP_TRY(expect_symbol("="));
        LOCKSTEP_ASSIGN(ExpressionPtr value, expression());
        node->values.push_back(std::move(value));
    }
    LOCKSTEP_TRY(finish_block(node->body, "endwith"));
    into.push_back(std::move(node));
    return {};
}

// {% generation %} marks an assistant's words for training; {% block %} names a part.
Status Parser::scope(Body& into, const std::string& tag) {
    auto node = make_statement(Statement::Kind::scope, current().line);
    const std::string end = "end" + tag;
    next();
    if (end == "endblock") {
        LOCKSTEP_ASSIGN(node->name, expect_identifier());
    }
    LOCKSTEP_TRY(finish_block(node->body, end));
    if (!node->name.empty()) skip_name(node->name);
    into.push_back(std::move(node));
    return {};
}

Status Parser::macro(Body& into) {
    auto node = make_statement(Statement::Kind::macro, next().line);
    LOCKSTEP_ASSIGN(node->name, expect_identifier());
    LOCKSTEP_TRY(parameters(node->parameters));
    LOCKSTEP_TRY(macro_body(*node, "endmacro"));
    into.push_back(std::move(node));
    return {};
}

Status Parser::macro_body(Statement& node, std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    const bool varargs = std::exchange(varargs_, false), kwargs = std::exchange(kwargs_, false);
    LOCKSTEP_TRY(finish_block(node.body, end));
    loops_ = loops;
    node.uses_varargs = std::exchange(varargs_, varargs);
    node.uses_kwargs = std::exchange(kwargs_, kwargs);
    return {};
}

Status Parser::call_block(Body& into) {
    auto node = make_statement(Statement::Kind::call_block, next().line);
    if (at_symbol("(")) LOCKSTEP_TRY(parameters(node->parameters));
    LOCKSTEP_ASSIGN(node->value, expression());
    if (node->value->kind != Expression::Kind::call)
        return fail_at(node->line, "'call' wants the call of a macro");
    LOCKSTEP_TRY(macro_body(*node, "endcall"));
    into.push_back(std::move(node));
    return {};
}

Status Parser::filter_block(Body& into) {
    auto node = make_statement(Statement::Kind::filter_block, next().line);
    do {
        LOCKSTEP_ASSIGN(node->filter, filter(std::move(node->filter)));
    } while (skip_symbol("|"));
    LOCKSTEP_TRY(finish_block(node->body, "endfilter"));
    into.push_back(std::move(node));
    return {};
}

Status Parser::print(Body& into) {
    next();
    bool first = true;
    while (current().kind != Kind::block_end) {
        if (!first) LOCKSTEP_TRY(expect_symbol(","));
        first = false;
        into.push_back(make_statement(Statement::Kind::output, current().line));
        LOCKSTEP_ASSIGN(into.back()->value, expression());
    }
    return {};
}

Status Parser::loop_control(Body& into, Statement::Kind kind) {
    const Token& token = next();
    if (loops_ == 0) return fail_at(token.line, "'" + token.text + "' stands outside of a loop");
    into.push_back(make_statement(kind, token.line));
    return {};
}

Status Parser::parameters(std::vector<Parameter>& into) {
    LOCKSTEP_TRY(expect_symbol("("));
    while (!at_symbol(")")) {
        if (!into.empty()) LOCKSTEP_TRY(expect_symbol(","));
        Parameter parameter;
        LOCKSTEP_ASSIGN(parameter.name, expect_identifier());
        if (skip_symbol("=")) {
            LOCKSTEP_ASSIGN(parameter.fallback, expression());
        } else if (!into.empty() && into.back().fallback) {
            return fail_at(current().line,
                           "the parameter '" + parameter.name + "' needs a default value too");
        }
        into.push_back(std::move(parameter));
    }
    return expect_symbol(")");
}

Result<Target> Parser::target(bool with_tuple, bool with_attribute) {
    const Nested nested(nesting_);
    LOCKSTEP_TRY(check_depth(current().line));
    Target all;
    all.line = current().line;
    bool is_tuple = false;
    const auto at_end = [this] {
        return at_name("in") || at_symbol("=") || at_symbol(")") ||
               current().kind == Kind::block_end;
    };
    while (!at_end()) {
        LOCKSTEP_ASSIGN(Target part, single_target(with_attribute));
        all.parts.push_back(std::move(part));
        if (!with_tuple || !skip_symbol(",")) break;
        is_tuple = true;
    }
    if (all.parts.empty()) return unexpected("a name to assign to");
    if (is_tuple) return all;
    Target only = std::move(all.parts.front());
    return only;
}

Result<Target> Parser::single_target(bool with_attribute) {
    if (skip_symbol("(")) {
        LOCKSTEP_ASSIGN(Target inner, target(true, with_attribute));
        LOCKSTEP_TRY(expect_symbol(")"));
        return inner;
    }
    Target target;
    target.line = current().line;
    LOCKSTEP_ASSIGN(target.name, expect_identifier());
    for (const std::string_view fixed : {"true", "True", "false", "False", "none", "None"})
        if (target.name == fixed)
            return fail_at(target.line, "cannot assign to '" + target.name + "'");
    if (with_attribute && skip_symbol(".")) {
        LOCKSTEP_ASSIGN(target.attribute, expect_identifier());
    }
    return target;
}

}  // namespace lockstep::jinja
