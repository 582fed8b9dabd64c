// SPDX-License-Identifier: GPL-3.0-or-later
// The regular expressions of tokenizer.json, which are Oniguruma's, run by PCRE2 (just-in-time
// compiled where the machine allows). The classes that pre-tokenizers use (\s, \p{L}, \p{N}, ...)
// are spelled out, because PCRE2 10.42 knows Unicode 14 and counts U+180E as a space, and the
// reference implementation knows Unicode 16 and does not.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/text/text_range.h"
#include "kernels/status.h"

namespace lockstep {

class Regex {
  public:
    // `unsupported` for what Oniguruma has and PCRE2 has not, `invalid_file` for what neither
    // reads.
    static Result<Regex> compile(std::string_view pattern);
    // Matches `text` itself.
    static Result<Regex> literal(std::string_view text);

    class Search;

  private:
    struct Code;
    explicit Regex(std::shared_ptr<const Code> code) : code_(std::move(code)) {}
    std::shared_ptr<const Code> code_;
};

// Walks over the matches in one text, left to right.
class Regex::Search {
  public:
    // `text` must be valid UTF-8 and outlive the search.
    Search(const Regex& regex, std::string_view text);
    // The next match, or none. A pattern that backtracks beyond all measure finds none any more.
    std::optional<TextRange> next();
    // Starts again in another text.
    void reset(std::string_view text);

  private:
    std::optional<TextRange> find() const;

    std::shared_ptr<const Code> code_;
    std::string_view text_;
    size_t from_ = 0;
    std::optional<size_t> last_end_;
};

// The same pattern in PCRE2's words.
Result<std::string> pcre2_pattern(std::string_view oniguruma);

}  // namespace lockstep
