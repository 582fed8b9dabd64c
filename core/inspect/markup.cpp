// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inspect/markup.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/base/utf8.h"

namespace lockstep {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";

bool control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f;
}

// Calls put(character) for each code point; what is none, or can't be shown, is replaced.
template <class Put>
void for_each_character(std::string_view text, const Put& put) {
    for (size_t at = 0; at < text.size();) {
        const CodePoint point = code_point_at(text, at);
        const bool shown = point.valid && !control(text[at]);
        put(shown ? text.substr(at, point.length) : replacement);
        at += point.length;
    }
}

std::string_view html_entity(char c) {
    switch (c) {
        case '&':
            return "&amp;";
        case '<':
            return "&lt;";
        case '>':
            return "&gt;";
        case '"':
            return "&quot;";
        case '\'':
            return "&#39;";
        default:
            return {};
    }
}

}  // namespace

std::string escape_html(std::string_view text) {
    std::string escaped;
    for_each_character(text, [&](std::string_view character) {
        const std::string_view entity = html_entity(character.front());
        escaped += entity.empty() ? character : entity;
    });
    return escaped;
}

std::string escape_markdown(std::string_view text) {
    // Full stops, dashes and brackets within a line mean nothing by themselves.
    constexpr std::string_view special = "\\`*_[]#|~<>&@";
    std::string escaped;
    for_each_character(text, [&](std::string_view character) {
        const char c = character.front();
        if (c == '\n' || c == '\t') {
            escaped += ' ';
            return;
        }
        if (special.find(c) != special.npos) escaped += '\\';
        escaped += character;
    });
    return escaped;
}

std::string short_figure(double value) {
    if (!std::isfinite(value)) return "not finite";
    char text[32];
    std::snprintf(text, sizeof text, "%.2g", value);
    return text;
}

std::string percent(double share) {
    if (!std::isfinite(share)) return "not finite";
    const double shown = std::clamp(std::floor(share * 1e4) / 100, 0.0, 100.0);
    char text[32];
    std::snprintf(text, sizeof text, "%.2f%%", shown);
    if (shown == 0 && share > 0) return "under 0.01%";
    return shown == 100 && share >= 1 ? "100%" : text;
}

}  // namespace lockstep
