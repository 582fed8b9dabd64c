// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/pretokenizer.h"

#include <algorithm>
#include <array>

namespace lockstep {
namespace {

constexpr std::string_view gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view qwen2_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view llama3_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

Result<PreTokenizerStep> isolated(std::string_view pattern) {
    LOCKSTEP_ASSIGN(Regex regex, Regex::compile(pattern));
    return SplitStep{std::move(regex), SplitBehavior::isolated, false};
}

// Collects pieces as one way of splitting wants them.
class Collector {
  public:
    Collector(SplitBehavior behavior, std::vector<TextRange>& pieces)
        : behavior_(behavior), pieces_(pieces), begin_(pieces.size()) {}

    void add(TextRange range, bool matched) {
        const bool first = pieces_.size() == begin_;
        switch (behavior_) {
            case SplitBehavior::removed:
                if (!matched) push(range);
                break;
            case SplitBehavior::isolated:
                push(range);
                break;
            case SplitBehavior::contiguous:
                matched == last_matched_ && !first ? extend(range) : push(range);
                break;
            case SplitBehavior::merged_with_previous:
                matched && !last_matched_ && !first ? extend(range) : push(range);
                break;
            case SplitBehavior::merged_with_next:
                last_matched_ && !matched && !first ? extend(range) : push(range);
                break;
        }
        last_matched_ = matched;
    }

  private:
    void push(TextRange range) {
        if (range.first < range.last) pieces_.push_back(range);
    }
    void extend(TextRange range) { pieces_.back().last = range.last; }

    SplitBehavior behavior_;
    std::vector<TextRange>& pieces_;
    size_t begin_;
    bool last_matched_ = false;
};

void apply(const SplitStep& step, PieceList& list) {
    std::vector<TextRange> result;
    result.reserve(list.text.size() / 4);
    Regex::Search search(step.regex, {});
    for (const TextRange piece : list.pieces) {
        // The piece alone: what stands before and after it must not be seen.
        const std::string_view text(list.text.data() + piece.first, piece.last - piece.first);
        Collector collector(step.behavior, result);
        search.reset(text);
        size_t done = 0;
        const auto add = [&](size_t last, bool matched) {
            if (done < last)
                collector.add({piece.first + done, piece.first + last}, matched != step.invert);
            done = last;
        };
        while (const auto match = search.next()) {
            add(match->first, false);
            add(match->last, true);
        }
        add(text.size(), false);
    }
    list.pieces = std::move(result);
}

void apply(const PrefixSpaceStep&, PieceList& list) {
    std::string text;
    for (TextRange& piece : list.pieces) {
        const size_t first = text.size();
        if (list.text[piece.first] != ' ') text += ' ';
        text.append(list.text, piece.first, piece.last - piece.first);
        piece = {first, text.size()};
    }
    list.text = std::move(text);
}

// Cuts before every `mark`.
void split_before(std::string_view text, TextRange piece, std::string_view mark,
                  std::vector<TextRange>& result) {
    for (size_t first = piece.first; first < piece.last;) {
        const size_t next = std::min(text.find(mark, first + 1), piece.last);
        result.push_back({first, next});
        first = next;
    }
}

void apply(const MetaspaceStep& step, PieceList& list) {
    using Prepend = MetaspaceStep::Prepend;
    std::string text;
    std::vector<TextRange> result;
    for (size_t i = 0; i < list.pieces.size(); ++i) {
        const TextRange piece = list.pieces[i];
        const size_t first = text.size();
        const std::string_view source(list.text.data() + piece.first, piece.last - piece.first);
        const bool wanted =
            step.prepend == Prepend::always ||
            (step.prepend == Prepend::first && list.begins_input && piece.first == 0);
        if (wanted && source.front() != ' ' && !source.starts_with(step.replacement))
            text += step.replacement;
        for (const char byte : source) byte == ' ' ? text += step.replacement : text += byte;
        const TextRange replaced{first, text.size()};
        if (step.split)
            split_before(text, replaced, step.replacement, result);
        else
            result.push_back(replaced);
    }
    list.text = std::move(text);
    list.pieces = std::move(result);
}

// GGUF's names for one and the same pre-tokenizer, as the files in circulation have them.
enum class Known : uint8_t { gpt2, smollm, qwen2, llama3 };
constexpr std::array<std::pair<std::string_view, Known>, 16> known_names = {{
    {"gpt-2", Known::gpt2},
    {"smollm", Known::smollm},
    {"qwen2", Known::qwen2},
    {"llama-bpe", Known::llama3},
    {"", Known::gpt2},
    {"default", Known::gpt2},
    {"gpt2", Known::gpt2},
    {"phi-2", Known::gpt2},
    {"mellum", Known::gpt2},
    {"deepseek-r1-qwen", Known::qwen2},
    {"megrez", Known::qwen2},
    {"kormo", Known::qwen2},
    {"llama3", Known::llama3},
    {"llama-v3", Known::llama3},
    {"falcon3", Known::llama3},
    {"lfm2", Known::llama3},
}};

std::string_view pattern_of(Known known) {
    if (known == Known::qwen2) return qwen2_pattern;
    return known == Known::llama3 ? llama3_pattern : gpt2_pattern;
}

}  // namespace

Result<PreTokenizerStep> gpt2_split() {
    return isolated(gpt2_pattern);
}

Result<PreTokenizerStep> digits_split(bool individual) {
    // Rust's char::is_numeric knows Unicode 17; Oniguruma's \p{N} 16.
    LOCKSTEP_ASSIGN(Regex regex,
                    Regex::compile(R"([\p{N}\x{11de0}-\x{11de9}\x{16ff4}-\x{16ff6}])"));
    return SplitStep{std::move(regex),
                     individual ? SplitBehavior::isolated : SplitBehavior::contiguous, false};
}

Result<NamedPreTokenizer> named_pre_tokenizer(std::string_view pre) {
    std::string supported;
    for (const auto& [name, known] : known_names) {
        if (!name.empty()) supported += (supported.empty() ? "" : ", ") + std::string(name);
        if (name != pre) continue;
        std::vector<PreTokenizerStep> steps;
        if (known == Known::smollm) {
            LOCKSTEP_ASSIGN(PreTokenizerStep digits, digits_split(true));
            steps.push_back(std::move(digits));
        }
        LOCKSTEP_ASSIGN(PreTokenizerStep step, isolated(pattern_of(known)));
        steps.push_back(std::move(step));
        const bool llama3 = known == Known::llama3;
        return NamedPreTokenizer{PreTokenizer(std::move(steps)), known == Known::qwen2, llama3,
                                 llama3};
    }
    return fail(ErrorKind::unsupported, "tokenizer.ggml.pre \"" + std::string(pre) +
                                            "\" is not a known pre-tokenizer; known are " +
                                            supported);
}

PieceList PreTokenizer::split(std::string text, bool begins_input) const {
    PieceList list;
    list.text = std::move(text);
    list.begins_input = begins_input;
    if (!list.text.empty()) list.pieces.push_back({0, list.text.size()});
    for (const PreTokenizerStep& step : steps_)
        std::visit([&list](const auto& it) { apply(it, list); }, step);
    return list;
}

}  // namespace lockstep
