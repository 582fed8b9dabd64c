// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "core/text/utf8.h"

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

struct Regex::Search::State {
    std::shared_ptr<const Code> code;
    Owned<pcre2_match_data> data;
    Owned<pcre2_match_context> context;
    Owned<pcre2_jit_stack> stack;
    std::string_view text;
    size_t from = 0;
    std::optional<size_t> last_end;

    bool find() {
        // The text was checked before: checking it again for every match would take squared time.
        const auto match = [this](uint32_t options) {
            return pcre2_match(code->compiled.get(), units(text), text.size(), from,
                               PCRE2_NO_UTF_CHECK | options, data.get(), context.get());
        };
        int found = match(0);
        if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = match(PCRE2_NO_JIT);
        return found > 0;
    }
};

Regex::Search::Search(const Regex& regex, std::string_view text)
    : state_(std::make_unique<State>()) {
    state_->code = regex.code_;
    state_->data.reset(pcre2_match_data_create(1, nullptr));
    state_->context.reset(pcre2_match_context_create(nullptr));
    state_->stack.reset(pcre2_jit_stack_create(32 * 1024, jit_stack_bytes, nullptr));
    pcre2_set_match_limit(state_->context.get(), match_limit);
    pcre2_set_heap_limit(state_->context.get(), heap_limit_kib);
    pcre2_jit_stack_assign(state_->context.get(), nullptr, state_->stack.get());
    reset(text);
}

Regex::Search::~Search() = default;

void Regex::Search::reset(std::string_view text) {
    state_->text = text;
    state_->from = 0;
    state_->last_end.reset();
}

std::optional<TextRange> Regex::Search::next() {
    State& state = *state_;
    while (state.from <= state.text.size()) {
        if (!state.find()) break;
        const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(state.data.get());
        const TextRange match{bounds[0], std::max(bounds[0], bounds[1])};
        // An empty match right behind the last one is none: go on behind the next character.
        const bool empty = match.first == match.last;
        if (!empty || state.last_end != match.last) {
            state.from = match.last;
            state.last_end = match.last;
            return match;
        }
        const bool at_end = state.from == state.text.size();
        state.from += at_end ? 1 : code_point_at(state.text, state.from).length;
    }
    state.from = state.text.size() + 1;
    return std::nullopt;
}

}  // namespace lockstep
