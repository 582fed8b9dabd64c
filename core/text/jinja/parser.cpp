// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/parser.h"

#include <algorithm>

namespace lockstep::jinja {
namespace {

constexpr int max_nesting = 100;
constexpr size_t max_source_bytes = size_t{1} << 20;

std::string describe(const Token& token) {
    switch (token.kind) {
        case Token::Kind::variable_end:
            return "'}}'";
        case Token::Kind::block_end:
            return "'%}'";
        case Token::Kind::string:
            return "the string '" + token.text + "'";
        case Token::Kind::name:
        case Token::Kind::integer:
        case Token::Kind::real:
        case Token::Kind::symbol:
            return jinja::quoted(token.text);  // not std::quoted, which the argument brings in
        default:
            return "the end of the template";
    }
}

}  // namespace

Result<Program> parse(std::string_view source) {
    if (source.size() > max_source_bytes)
        return lockstep::fail(ErrorKind::unsupported, "the template is larger than 1 MiB");
    LOCKSTEP_ASSIGN(std::vector<Token> tokens, tokenize(source));
    return Parser(std::move(tokens)).run();
}

Result<Program> Parser::run() {
    LOCKSTEP_ASSIGN(Body all, body({}));
    return Program{std::move(all)};
}

const Token& Parser::next() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
}

bool Parser::at_symbol(std::string_view text) const {
    return current().kind == Kind::symbol && current().text == text;
}

bool Parser::at_name(std::string_view text) const {
    return current().kind == Kind::name && current().text == text;
}

bool Parser::skip_symbol(std::string_view text) {
    const bool found = at_symbol(text);
    if (found) next();
    return found;
}

bool Parser::skip_name(std::string_view text) {
    const bool found = at_name(text);
    if (found) next();
    return found;
}

tl::unexpected<Error> Parser::unexpected(const std::string& wanted) const {
    return fail_at(current().line, "expected " + wanted + ", not " + describe(current()));
}

Status Parser::expect_symbol(std::string_view text) {
    if (skip_symbol(text)) return {};
    return unexpected(quoted(text));
}

Status Parser::expect_name(std::string_view text) {
    if (skip_name(text)) return {};
    return unexpected(quoted(text));
}

Status Parser::expect(Kind kind) {
    if (current().kind != kind) return unexpected(kind == Kind::block_end ? "'%}'" : "'}}'");
    next();
    return {};
}

Result<std::string> Parser::expect_identifier() {
    if (current().kind != Kind::name) return unexpected("a name");
    return next().text;
}

Status Parser::check_depth(int line) const {
    if (nesting_ <= max_nesting) return {};
    return fail_at(line, "this nests deeper than " + std::to_string(max_nesting) + " levels");
}

}  // namespace lockstep::jinja
