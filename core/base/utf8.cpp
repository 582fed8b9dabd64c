// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/utf8.h"

#include <cstring>

namespace lockstep {
namespace {

constexpr char32_t replacement = 0xfffd;

// What may follow a lead byte: how many bytes, and the range of the first of them, which is what
// keeps out overlong forms, surrogates and values beyond U+10FFFF.
struct Lead {
    uint8_t continuations;
    uint8_t first_low, first_high;
};

Lead lead_of(uint8_t byte) {
    if (byte >= 0xc2 && byte <= 0xdf) return {1, 0x80, 0xbf};
    if (byte == 0xe0) return {2, 0xa0, 0xbf};
    if (byte == 0xed) return {2, 0x80, 0x9f};
    if (byte >= 0xe1 && byte <= 0xef) return {2, 0x80, 0xbf};
    if (byte == 0xf0) return {3, 0x90, 0xbf};
    if (byte >= 0xf1 && byte <= 0xf3) return {3, 0x80, 0xbf};
    if (byte == 0xf4) return {3, 0x80, 0x8f};
    return {0, 0, 0};
}

// The first byte at or after `at` that is not ASCII.
size_t skip_ascii(std::string_view text, size_t at) {
    uint64_t word = 0;
    while (at + sizeof word <= text.size()) {
        std::memcpy(&word, text.data() + at, sizeof word);
        if (word & 0x8080808080808080u) break;
        at += sizeof word;
    }
    while (at < text.size() && static_cast<uint8_t>(text[at]) < 0x80) ++at;
    return at;
}

}  // namespace

CodePoint code_point_at(std::string_view text, size_t at) {
    const auto first = static_cast<uint8_t>(text[at]);
    if (first < 0x80) return {first, 1, true};
    const Lead lead = lead_of(first);
    if (lead.continuations == 0) return {replacement, 1, false};
    // The payload of a lead byte: 5, 4 or 3 bits.
    char32_t value = first & (0x3fu >> lead.continuations);
    for (uint8_t i = 1; i <= lead.continuations; ++i) {
        const auto byte = at + i < text.size() ? static_cast<uint8_t>(text[at + i]) : uint8_t{0};
        const uint8_t low = i == 1 ? lead.first_low : uint8_t{0x80};
        const uint8_t high = i == 1 ? lead.first_high : uint8_t{0xbf};
        if (byte < low || byte > high) return {replacement, i, false};
        value = value << 6 | (byte & 0x3fu);
    }
    return {value, static_cast<uint8_t>(lead.continuations + 1), true};
}

bool is_valid_utf8(std::string_view text) {
    for (size_t at = skip_ascii(text, 0); at < text.size(); at = skip_ascii(text, at)) {
        const CodePoint point = code_point_at(text, at);
        if (!point.valid) return false;
        at += point.length;
    }
    return true;
}

std::string replace_invalid_utf8(std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    for (size_t at = 0; at < text.size();) {
        const CodePoint point = code_point_at(text, at);
        if (point.valid)
            clean.append(text, at, point.length);
        else
            append_utf8(clean, replacement);
        at += point.length;
    }
    return clean;
}

void append_utf8(std::string& text, char32_t value) {
    const auto put = [&text](char32_t byte) { text.push_back(static_cast<char>(byte)); };
    if (value < 0x80) {
        put(value);
    } else if (value < 0x800) {
        put(0xc0 | value >> 6);
        put(0x80 | (value & 0x3f));
    } else if (value < 0x10000) {
        put(0xe0 | value >> 12);
        put(0x80 | (value >> 6 & 0x3f));
        put(0x80 | (value & 0x3f));
    } else {
        put(0xf0 | value >> 18);
        put(0x80 | (value >> 12 & 0x3f));
        put(0x80 | (value >> 6 & 0x3f));
        put(0x80 | (value & 0x3f));
    }
}

}  // namespace lockstep
