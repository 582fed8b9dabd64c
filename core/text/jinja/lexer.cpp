// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/jinja/lexer.h"

#include <algorithm>
#include <charconv>

#include "core/base/utf8.h"
#include "core/text/jinja/string_literal.h"
#include "core/text/jinja/text.h"

namespace lockstep::jinja {
namespace {

using Kind = Token::Kind;

constexpr std::string_view symbols[] = {
    // the longer first
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
    "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";",
};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_name_start(char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0;
}

// All line ends as \n, and without the last of them.
std::string normalize_newlines(std::string_view source) {
    std::string text;
    text.reserve(source.size());
    for (size_t i = 0; i < source.size(); ++i) {
        if (source[i] != '\r') {
            text += source[i];
            continue;
        }
        text += '\n';
        if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
    if (text.ends_with('\n')) text.pop_back();
    return text;
}

class Lexer {
  public:
    explicit Lexer(std::string source) : source_(std::move(source)) {}

    Result<std::vector<Token>> run() {
        while (at_ < source_.size()) LOCKSTEP_TRY(data_and_tag());
        add(Kind::end, {});
        return std::move(tokens_);
    }

  private:
    std::string_view rest() const { return std::string_view(source_).substr(at_); }
    bool next_is(std::string_view text) const { return rest().starts_with(text); }
    char sign_at(size_t at) const {
        const char c = at < source_.size() ? source_[at] : '\0';
        return c == '-' || c == '+' ? c : '\0';
    }
    void advance(size_t bytes) {
        const auto from = source_.begin() + static_cast<std::ptrdiff_t>(at_);
        line_ +=
            static_cast<int>(std::count(from, from + static_cast<std::ptrdiff_t>(bytes), '\n'));
        at_ += bytes;
        line_starting_ = bytes > 0 && source_[at_ - 1] == '\n';
    }
    void skip_space() {
        const size_t space = leading_space(rest());
        if (space > 0) advance(space);
    }
    void add(Kind kind, std::string text, int line = 0) {
        tokens_.push_back({kind, line ? line : line_, std::move(text)});
    }

    Status data_and_tag() {
        const size_t tag = find_tag();
        const bool found = tag < source_.size();
        const char kind = found ? source_[tag + 1] : '\0';
        add_data(tag, found ? sign_at(tag + 2) : '+', kind == '{');
        if (!found) return {};
        begin_line_ = line_;
        const size_t sign = sign_at(at_ + 2) ? 1 : 0;
        if (kind == '#') return comment(2 + sign);
        if (kind == '%') {
            const size_t raw = raw_begin(2 + sign);
            if (raw > 0) return raw_block(raw);
        }
        add(kind == '{' ? Kind::variable_begin : Kind::block_begin, {});
        advance(2 + sign);
        return tag_body(kind == '{');
    }

    size_t find_tag() const {
        size_t tag = at_;
        while ((tag = source_.find('{', tag)) != std::string::npos) {
            const char next = tag + 1 < source_.size() ? source_[tag + 1] : '\0';
            if (next == '{' || next == '%' || next == '#') return tag;
            ++tag;
        }
        return source_.size();
    }

    // The text up to `end`, with its last whitespace as the sign of what follows wants it.
    void add_data(size_t end, char sign, bool before_variable) {
        std::string_view text = rest().substr(0, end - at_);
        if (sign == '-') {
            text = text.substr(0, stripped(text).last);
        } else if (sign != '+' && !before_variable) {
            const size_t line = text.rfind('\n') + 1;  // npos + 1 is 0
            const std::string_view indent = text.substr(line);
            if ((line > 0 || line_starting_) && leading_space(indent) == indent.size())
                text = text.substr(0, line);
        }
        if (!text.empty()) add(Kind::data, std::string(text));
        if (end > at_) advance(end - at_);
    }

    // What ends a tag: its sign, its two characters, and the whitespace that goes with it. 0: no
    // end.
    size_t end_length(std::string_view end, bool trim) const {
        const char sign = sign_at(at_);
        const bool signed_end = sign == '-' || (sign == '+' && trim);
        if (signed_end && rest().substr(1).starts_with(end)) return end.size() + 1;
        return next_is(end) ? end.size() : 0;
    }
    void finish_tag(size_t length, bool trim) {
        const char sign = source_[at_];
        advance(length);
        if (sign == '-') skip_space();
        if (trim && sign != '-' && sign != '+' && next_is("\n")) advance(1);
    }

    Status comment(size_t begin) {
        advance(begin);
        const size_t end = source_.find("#}", at_);
        if (end == std::string::npos) return fail_at(begin_line_, "this comment {# has no end #}");
        const bool sign = end > at_ && sign_at(end - 1);
        advance(end - at_ - (sign ? 1 : 0));
        finish_tag(sign ? 3 : 2, true);
        return {};
    }

    // Length of "{% raw %}" at the current place, its sign being before `from`; 0: not one.
    size_t raw_begin(size_t from) const {
        size_t at = from + leading_space(rest().substr(from));
        if (!rest().substr(at).starts_with("raw")) return 0;
        at += 3;
        at += leading_space(rest().substr(at));
        const std::string_view end = rest().substr(at);
        if (end.starts_with("-%}")) return at + 3;
        return end.starts_with("%}") ? at + 2 : 0;
    }
    Status raw_block(size_t begin) {
        const bool strip = source_[at_ + begin - 3] == '-';
        advance(begin);
        if (strip) skip_space();
        for (size_t tag = at_; (tag = source_.find("{%", tag)) != std::string::npos; ++tag) {
            const char sign = sign_at(tag + 2);
            size_t name = tag + (sign ? 3 : 2);
            name += leading_space(std::string_view(source_).substr(name));
            if (source_.compare(name, 6, "endraw") != 0) continue;
            add_data(tag, sign, false);
            advance(name + 6 - at_);
            skip_space();
            const size_t length = end_length("%}", true);
            if (length == 0) return fail_at(line_, "endraw takes nothing more");
            finish_tag(length, true);
            return {};
        }
        return fail_at(begin_line_, "'raw' has no 'endraw'");
    }

    Status tag_body(bool variable) {
        const std::string_view end = variable ? "}}" : "%}";
        brackets_.clear();
        while (at_ < source_.size()) {
            const size_t length = brackets_.empty() ? end_length(end, !variable) : 0;
            if (length > 0) {
                add(variable ? Kind::variable_end : Kind::block_end, {});
                finish_tag(length, !variable);
                return {};
            }
            const size_t before = at_;
            skip_space();
            if (at_ == before) LOCKSTEP_TRY(token());
        }
        return fail_at(begin_line_, variable ? "this {{ has no end }}" : "this {% has no end %}");
    }

    Status token() {
        const char c = source_[at_];
        if (is_digit(c)) return number();
        if (is_name_start(c)) return name();
        if (c == '\'' || c == '"') return string(c);
        return symbol();
    }

    Status name() {
        size_t end = at_;
        while (end < source_.size() && (is_name_start(source_[end]) || is_digit(source_[end])))
            ++end;
        add(Kind::name, source_.substr(at_, end - at_));
        advance(end - at_);
        return {};
    }

    Status number() {
        size_t end = at_;
        bool real = false;
        const auto digits = [&] {
            while (end < source_.size() && (is_digit(source_[end]) || source_[end] == '_')) ++end;
        };
        const auto digit_at = [&](size_t at) {
            return at < source_.size() && is_digit(source_[at]);
        };
        const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
        digits();
        if (!after_dot && end < source_.size() && source_[end] == '.' && digit_at(end + 1)) {
            real = true;
            ++end;
            digits();
        }
        if (!after_dot && end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
            const size_t sign = sign_at(end + 1) ? 1 : 0;
            if (digit_at(end + 1 + sign)) {
                real = true;
                end += 1 + sign;
                digits();
            }
        }
        std::string text = source_.substr(at_, end - at_);
        std::erase(text, '_');
        return add_number(text, real, end - at_);
    }
    Status add_number(const std::string& text, bool real, size_t bytes) {
        Token token{real ? Kind::real : Kind::integer, line_, text};
        const char* last = text.data() + text.size();
        const auto error = real ? std::from_chars(text.data(), last, token.real).ec
                                : std::from_chars(text.data(), last, token.integer).ec;
        if (error != std::errc()) return fail_at(line_, "the number " + text + " is too large");
        tokens_.push_back(std::move(token));
        advance(bytes);
        return {};
    }

    Status string(char quote) {
        size_t end = at_ + 1;
        while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
        if (end >= source_.size()) return fail_at(line_, "this string has no closing quote");
        const std::string_view body = std::string_view(source_).substr(at_ + 1, end - at_ - 1);
        auto text = unescape(body);
        if (!text) return fail_at(line_, text.error().message);
        add(Kind::string, *std::move(text));
        advance(end + 1 - at_);
        return {};
    }

    Status symbol() {
        const auto* found = std::find_if(std::begin(symbols), std::end(symbols),
                                         [this](std::string_view s) { return next_is(s); });
        if (found == std::end(symbols)) {
            const size_t length = code_point_at(source_, at_).length;
            return fail_at(line_, "unexpected character '" + source_.substr(at_, length) + "'");
        }
        LOCKSTEP_TRY(balance(found->front()));
        add(Kind::symbol, std::string(*found));
        advance(found->size());
        return {};
    }
    Status balance(char c) {
        constexpr std::string_view open = "([{", close = ")]}";
        if (const size_t i = open.find(c); i != std::string_view::npos) brackets_ += close[i];
        if (close.find(c) == std::string_view::npos) return {};
        const std::string what = "unexpected '" + std::string(1, c) + "'";
        if (brackets_.empty()) return fail_at(line_, what);
        if (brackets_.back() != c)
            return fail_at(line_, what + ", expected '" + brackets_.back() + "'");
        brackets_.pop_back();
        return {};
    }

    std::string source_;
    size_t at_ = 0;
    int line_ = 1;
    int begin_line_ = 1;         // of the tag being read
    bool line_starting_ = true;  // the last thing read ended a line
    std::string brackets_;       // those that the open ones want, the innermost last
    std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view source) {
    return Lexer(normalize_newlines(source)).run();
}

tl::unexpected<Error> fail_at(int line, const std::string& what) {
    return lockstep::fail(ErrorKind::unsupported, "line " + std::to_string(line) + ": " + what);
}

}  // namespace lockstep::jinja
