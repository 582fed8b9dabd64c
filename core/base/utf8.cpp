// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/utf8.h"

#include <cstdint>

namespace lockstep {
namespace {

// What may follow a lead byte: how many bytes in all, and the range of the second one.
struct Lead {
    size_t length = 0;
    uint8_t second_min = 0x80;
    uint8_t second_max = 0xbf;
};

Lead lead_of(uint8_t byte) {
    if (byte < 0x80) return {1};
    if (byte < 0xc2) return {0};
    if (byte < 0xe0) return {2};
    if (byte == 0xe0) return {3, 0xa0, 0xbf};
    if (byte == 0xed) return {3, 0x80, 0x9f};
    if (byte < 0xf0) return {3};
    if (byte == 0xf0) return {4, 0x90, 0xbf};
    if (byte < 0xf4) return {4};
    if (byte == 0xf4) return {4, 0x80, 0x8f};
    return {0};
}

}  // namespace

size_t utf8_code_point_length(std::string_view text) {
    if (text.empty()) return 0;
    const Lead lead = lead_of(static_cast<uint8_t>(text[0]));
    if (lead.length < 2) return lead.length;
    if (text.size() < lead.length) return 0;
    const auto second = static_cast<uint8_t>(text[1]);
    if (second < lead.second_min || second > lead.second_max) return 0;
    for (size_t i = 2; i < lead.length; ++i) {
        if ((static_cast<uint8_t>(text[i]) & 0xc0u) != 0x80u) return 0;
    }
    return lead.length;
}

size_t utf8_first_invalid(std::string_view text) {
    size_t at = 0;
    while (at < text.size()) {
        if (static_cast<uint8_t>(text[at]) < 0x80) {
            ++at;
            continue;
        }
        const size_t length = utf8_code_point_length(text.substr(at));
        if (length == 0) return at;
        at += length;
    }
    return std::string_view::npos;
}

}  // namespace lockstep
