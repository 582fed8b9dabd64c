// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/token_decoder.h"

#include <charconv>

#include "core/base/utf8.h"
#include "core/text/bpe_model.h"

namespace lockstep {
namespace {

using Tokens = std::vector<std::string>;

std::string replace_all(const Regex& pattern, std::string_view content, std::string_view text) {
    std::string result;
    size_t done = 0;
    Regex::Search search(pattern, text);
    while (const auto match = search.next()) {
        result.append(text, done, match->first - done).append(content);
        done = match->last;
    }
    return result.append(text.substr(done));
}

std::string replace_all(std::string_view from, std::string_view to, std::string_view text) {
    std::string result;
    size_t done = 0;
    for (size_t at = text.find(from); at != std::string_view::npos; at = text.find(from, done)) {
        result.append(text, done, at - done).append(to);
        done = at + from.size();
    }
    return result.append(text.substr(done));
}

Tokens applied(const ByteLevelDecodeStep&, const Tokens& tokens) {
    std::string bytes;
    for (const std::string& token : tokens) bytes += bytes_of_byte_level(token);
    return {replace_invalid_utf8(bytes)};
}

Tokens applied(const ByteFallbackStep&, const Tokens& tokens) {
    Tokens result;
    std::string run;
    // Unlike elsewhere, each byte of a run that is not UTF-8 as a whole becomes a U+FFFD.
    const auto end_run = [&] {
        if (is_valid_utf8(run)) {
            if (!run.empty()) result.push_back(run);
        } else {
            result.insert(result.end(), run.size(), "\xef\xbf\xbd");
        }
        run.clear();
    };
    for (const std::string& token : tokens) {
        const int byte = byte_of_fallback(token);
        if (byte >= 0) {
            run += static_cast<char>(byte);
            continue;
        }
        end_run();
        result.push_back(token);
    }
    end_run();
    return result;
}

Tokens applied(const FuseStep&, const Tokens& tokens) {
    std::string text;
    for (const std::string& token : tokens) text += token;
    return {text};
}

Tokens applied(const ReplaceDecodeStep& step, Tokens tokens) {
    for (std::string& token : tokens) token = replace_all(step.pattern, step.content, token);
    return tokens;
}

Tokens applied(const StripStep& step, Tokens tokens) {
    for (std::string& token : tokens) {
        std::string_view rest = token;
        for (size_t i = 0; i < step.start && rest.starts_with(step.character); ++i)
            rest.remove_prefix(step.character.size());
        for (size_t i = 0; i < step.stop && rest.ends_with(step.character); ++i)
            rest.remove_suffix(step.character.size());
        token = std::string(rest);
    }
    return tokens;
}

Tokens applied(const MetaspaceDecodeStep& step, Tokens tokens) {
    for (std::string& token : tokens) {
        const bool dropped = step.drop_first && &token == tokens.data();
        token = replace_all(step.replacement, dropped ? "" : " ", token);
    }
    return tokens;
}

std::string bytes(const ByteLevelDecodeStep&, const std::string& token) {
    return bytes_of_byte_level(token);
}
std::string bytes(const ByteFallbackStep&, const std::string& token) {
    const int byte = byte_of_fallback(token);
    return byte < 0 ? token : std::string(1, static_cast<char>(byte));
}
std::string bytes(const FuseStep&, const std::string& token) {
    return token;
}
std::string bytes(const ReplaceDecodeStep& step, const std::string& token) {
    return replace_all(step.pattern, step.content, token);
}
std::string bytes(const StripStep&, const std::string& token) {
    return token;
}
std::string bytes(const MetaspaceDecodeStep& step, const std::string& token) {
    return replace_all(step.replacement, " ", token);
}

}  // namespace

int byte_of_fallback(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return -1;
    int value = -1;
    const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, value, 16);
    return error == std::errc() && end == token.data() + 5 ? value : -1;
}

std::string TokenDecoder::decode(std::vector<std::string> tokens) const {
    for (const DecodeStep& step : steps_)
        tokens = std::visit([&](const auto& it) { return applied(it, std::move(tokens)); }, step);
    std::string text;
    for (const std::string& token : tokens) {
        if (steps_.empty() && &token != tokens.data()) text += ' ';
        text += token;
    }
    return text;
}

std::string TokenDecoder::token_bytes(std::string_view token) const {
    std::string result(token);
    for (const DecodeStep& step : steps_)
        result = std::visit([&](const auto& it) { return bytes(it, result); }, step);
    return result;
}

}  // namespace lockstep
