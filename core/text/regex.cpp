// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "core/base/utf8.h"

namespace lockstep {
namespace {

// Pre-tokenizers' patterns need far less, whatever the text; a pattern that needs more is hostile.
constexpr uint32_t match_limit = 20'000'000;
constexpr uint32_t heap_limit_kib = 64 * 1024;
constexpr size_t jit_stack_bytes = 1024 * 1024;
constexpr size_t max_pattern_bytes = 64 * 1024;

struct Free {
    void operator()(pcre2_code* p) const { pcre2_code_free(p); }
    void operator()(pcre2_compile_context* p) const { pcre2_compile_context_free(p); }
    void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
    void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
    void operator()(pcre2_jit_stack* p) const { pcre2_jit_stack_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

PCRE2_SPTR units(std::string_view text) {
    return reinterpret_cast<PCRE2_SPTR>(text.data());
}

std::string message_of(int error) {
    std::array<PCRE2_UCHAR, 256> buffer{};
    pcre2_get_error_message(error, buffer.data(), buffer.size());
    return reinterpret_cast<const char*>(buffer.data());
}

}  // namespace

struct Regex::Code {
    Owned<pcre2_code> compiled;
};

Result<Regex> Regex::compile(std::string_view pattern) {
    const auto wrong = [pattern](ErrorKind kind, const std::string& what) {
        return fail(kind,
                    "regular expression \"" + std::string(pattern.substr(0, 200)) + "\": " + what);
    };
    if (pattern.size() > max_pattern_bytes)
        return wrong(ErrorKind::unsupported, "longer than 64 KiB");
    const Result<std::string> translated = pcre2_pattern(pattern);
    if (!translated) return wrong(translated.error().kind, translated.error().message);

    const Owned<pcre2_compile_context> context(pcre2_compile_context_create(nullptr));
    pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
    int error = 0;
    PCRE2_SIZE where = 0;
    auto code = std::make_shared<Code>();
    // Oniguruma's ^ and $ look at lines.
    code->compiled.reset(pcre2_compile(units(*translated), translated->size(),
                                       PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &where,
                                       context.get()));
    if (!code->compiled) return wrong(ErrorKind::invalid_file, message_of(error));
    // Where this is refused (no executable memory), PCRE2 interprets.
    pcre2_jit_compile(code->compiled.get(), PCRE2_JIT_COMPLETE);
    return Regex(std::move(code));
}

Result<Regex> Regex::literal(std::string_view text) {
    std::string pattern;
    for (const char byte : text) {
        // PCRE2 takes a backslash before ASCII punctuation as that character.
        const bool punctuation =
            byte > ' ' && byte < 0x7f && !std::isalnum(static_cast<uint8_t>(byte));
        if (punctuation) pattern += '\\';
        pattern += byte;
    }
    return compile(pattern);
}

namespace {

// What a match works in. One for each thread, as making one costs more than most matches.
struct Scratch {
    Owned<pcre2_match_data> data{pcre2_match_data_create(1, nullptr)};
    Owned<pcre2_match_context> context{pcre2_match_context_create(nullptr)};
    Owned<pcre2_jit_stack> stack{pcre2_jit_stack_create(32 * 1024, jit_stack_bytes, nullptr)};

    Scratch() {
        pcre2_set_match_limit(context.get(), match_limit);
        pcre2_set_heap_limit(context.get(), heap_limit_kib);
        pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
    }
};

Scratch& scratch() {
    static thread_local Scratch instance;
    return instance;
}

}  // namespace

Regex::Search::Search(const Regex& regex, std::string_view text) : code_(regex.code_) {
    reset(text);
}

void Regex::Search::reset(std::string_view text) {
    text_ = text;
    from_ = 0;
    last_end_.reset();
}

std::optional<TextRange> Regex::Search::find() const {
    Scratch& work = scratch();
    // The text was checked before: checking it again for every match would take squared time.
    const auto match = [&](uint32_t options) {
        return pcre2_match(code_->compiled.get(), units(text_), text_.size(), from_,
                           PCRE2_NO_UTF_CHECK | options, work.data.get(), work.context.get());
    };
    int found = match(0);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = match(PCRE2_NO_JIT);
    if (found <= 0) return std::nullopt;
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(work.data.get());
    return TextRange{bounds[0], std::max(bounds[0], bounds[1])};
}

std::optional<TextRange> Regex::Search::next() {
    while (from_ <= text_.size()) {
        const auto match = find();
        if (!match) break;
        // An empty match right behind the last one is none: go on behind the next character.
        if (match->first != match->last || last_end_ != match->last) {
            from_ = match->last;
            last_end_ = match->last;
            return match;
        }
        from_ += from_ == text_.size() ? 1 : code_point_at(text_, from_).length;
    }
    from_ = text_.size() + 1;
    return std::nullopt;
}

}  // namespace lockstep
