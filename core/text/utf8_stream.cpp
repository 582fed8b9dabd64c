// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/utf8_stream.h"

#include <cstdint>

namespace lockstep {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

// What a lead byte asks for (Unicode 15, table 3-7): bytes in all, and the second byte's bounds,
// which keep out overlong forms, surrogates and what lies past U+10FFFF.
struct Lead {
    size_t length = 0;  // 0: not a lead byte
    uint8_t second_min = 0x80, second_max = 0xBF;
};

Lead lead_of(uint8_t byte) {
    if (byte < 0x80) return {1};
    if (byte >= 0xC2 && byte <= 0xDF) return {2};
    if (byte == 0xE0) return {3, 0xA0, 0xBF};
    if (byte == 0xED) return {3, 0x80, 0x9F};
    if (byte >= 0xE1 && byte <= 0xEF) return {3};
    if (byte == 0xF0) return {4, 0x90, 0xBF};
    if (byte >= 0xF1 && byte <= 0xF3) return {4};
    if (byte == 0xF4) return {4, 0x80, 0x8F};
    return {};
}

// Bytes at the start of `text` that a code point led by `lead` could begin with.
size_t good_bytes(std::string_view text, const Lead& lead) {
    size_t good = 1;
    while (good < lead.length && good < text.size()) {
        const auto byte = static_cast<uint8_t>(text[good]);
        const uint8_t low = good == 1 ? lead.second_min : 0x80;
        const uint8_t high = good == 1 ? lead.second_max : 0xBF;
        if (byte < low || byte > high) break;
        ++good;
    }
    return good;
}

}  // namespace

std::string Utf8Stream::push(std::string_view bytes) {
    pending_ += bytes;
    std::string whole;
    whole.reserve(pending_.size());
    std::string_view rest = pending_;
    while (!rest.empty()) {
        const Lead lead = lead_of(static_cast<uint8_t>(rest[0]));
        const size_t good = good_bytes(rest, lead);
        if (good < lead.length && good == rest.size()) break;  // may still become whole
        whole += good == lead.length ? rest.substr(0, good) : replacement;
        rest.remove_prefix(good);
    }
    pending_.erase(0, pending_.size() - rest.size());
    return whole;
}

std::string Utf8Stream::finish() {
    // A sequence that could have gone on is one maximal subpart.
    const bool incomplete = !pending_.empty();
    pending_.clear();
    return std::string(incomplete ? replacement : std::string_view());
}

}  // namespace lockstep
