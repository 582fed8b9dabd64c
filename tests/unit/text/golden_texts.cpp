// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/text/golden_texts.h"

#include <array>
#include <string_view>

#include "core/base/random.h"
#include "core/base/utf8.h"

namespace lockstep {
namespace {

using namespace std::string_view_literals;

struct Range {
    char32_t low, high;
};

// One range of code points per script, and the marks that combine with anything.
constexpr std::array<Range, 60> scripts = {{
    {0x00c0, 0x024f},   {0x0370, 0x03ff},   {0x0400, 0x052f},   {0x0531, 0x058f},
    {0x0591, 0x05f4},   {0x0600, 0x06ff},   {0x0700, 0x074f},   {0x0780, 0x07bf},
    {0x07c0, 0x07ff},   {0x0900, 0x097f},   {0x0980, 0x09ff},   {0x0a00, 0x0a7f},
    {0x0b80, 0x0bff},   {0x0c00, 0x0c7f},   {0x0d00, 0x0d7f},   {0x0d80, 0x0dff},
    {0x0e01, 0x0e5b},   {0x0e81, 0x0edf},   {0x0f00, 0x0fda},   {0x1000, 0x109f},
    {0x10a0, 0x10ff},   {0x1100, 0x11ff},   {0x1200, 0x137f},   {0x13a0, 0x13ff},
    {0x1780, 0x17ff},   {0x1800, 0x18aa},   {0x1e00, 0x1eff},   {0x1f00, 0x1fff},
    {0x2000, 0x206f},   {0x2070, 0x20cf},   {0x2100, 0x218f},   {0x2190, 0x23ff},
    {0x2460, 0x24ff},   {0x2600, 0x27bf},   {0x2c60, 0x2dff},   {0x3000, 0x30ff},
    {0x3130, 0x318f},   {0x4e00, 0x9fff},   {0xa640, 0xa6ff},   {0xa720, 0xa7ff},
    {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfb00, 0xfb4f},   {0xfe00, 0xfeff},
    {0xff00, 0xffef},   {0x10330, 0x1034f}, {0x10d40, 0x10d8f}, {0x11f00, 0x11f5f},
    {0x12000, 0x120ff}, {0x13440, 0x1345f}, {0x16d40, 0x16d7f}, {0x1ccf0, 0x1ccf9},
    {0x1d400, 0x1d7ff}, {0x1e4d0, 0x1e4f9}, {0x1f300, 0x1f64f}, {0x1f900, 0x1faff},
    {0x20000, 0x200ff}, {0x31350, 0x3137f}, {0xe0000, 0xe007f}, {0xf0000, 0xf00ff},
}};
constexpr std::array<Range, 10> marks = {{
    {0x0300, 0x036f},
    {0x0591, 0x05bd},
    {0x064b, 0x065f},
    {0x0e34, 0x0e3a},
    {0x1ab0, 0x1ace},
    {0x1dc0, 0x1dff},
    {0x20d0, 0x20f0},
    {0x3099, 0x309a},
    {0xfe20, 0xfe2f},
    {0x0d3b, 0x0d3c},
}};
constexpr std::array<std::string_view, 54> words = {
    "the"sv,
    " the"sv,
    "Hello"sv,
    " world"sv,
    "don't"sv,
    "I'LL"sv,
    "we've"sv,
    "it's"sv,
    "'s"sv,
    "'S"sv,
    "'\xc5\xbf"sv,
    "'RE"sv,
    "def"sv,
    " return"sv,
    "for(i=0;i<n;++i)"sv,
    "{\x0a\x09\"key\": [1, 2]}"sv,
    "https://example.org/a?b=c&d#e"sv,
    "snake_case"sv,
    "CamelCase"sv,
    "$100.00"sv,
    "3.14159e-10"sv,
    "1,234,567"sv,
    "100%"sv,
    "@user"sv,
    "#tag"sv,
    "Stra\xc3\x9f"
    "e"sv,
    "na\xc3\xafve"sv,
    "nai\xcc\x88ve"sv,
    "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"sv,
    "\xe4\xbd\xa0\xe5\xa5\xbd\xef\xbc\x8c\xe4\xb8\x96\xe7\x95\x8c"sv,
    "\xe3\x81\x93\xe3\x82\x93\xe3\x81\xab\xe3\x81\xa1\xe3\x81\xaf"sv,
    "\xec\x95\x88\xeb\x85\x95\xed\x95\x98\xec\x84\xb8\xec\x9a\x94"sv,
    "\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7"sv,
    "\xe0\xa4\xa8\xe0\xa4\xae\xe0\xa4\xb8\xe0\xa5\x8d\xe0\xa4\xa4\xe0\xa5\x87"sv,
    "\xe0\xb8\xaa\xe0\xb8\xa7\xe0\xb8\xb1\xe0\xb8\xaa\xe0\xb8\x94\xe0\xb8\xb5"sv,
    "\xce\xb3\xce\xb5\xce\xb9\xce\xac"sv,
    "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"sv,
    "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"sv,
    "\xe2\x84\xab"sv,
    "\xef\xac\x83"sv,
    "<|"sv,
    "|>"sv,
    "<"sv,
    ">"sv,
    "<s"sv,
    "</"sv,
    "<0x41>"sv,
    "<0x0A>"sv,
    "\xe2\x96\x81"sv,
    "\xe2\x96\x81\xe2\x96\x81"sv,
    "\xc4\xa0"sv,
    "\xc4\x8a"sv,
    "[INST]"sv,
    "<unk>"sv,
};
constexpr std::array<std::string_view, 13> emoji = {
    "\xf0\x9f\x98\x80"sv,
    "\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd"sv,
    "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7\xe2\x80\x8d\xf0\x9f\x91\xa6"sv,
    "\xf0\x9f\x8f\xb4\xe2\x80\x8d\xe2\x98\xa0\xef\xb8\x8f"sv,
    "\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa"sv,
    "\xe2\x9d\xa4\xef\xb8\x8f"sv,
    "1\xef\xb8\x8f\xe2\x83\xa3"sv,
    "\xf0\x9f\x8f\xb4\xf3\xa0\x81\xa7\xf3\xa0\x81\xa2\xf3\xa0\x81\xa5\xf3\xa0\x81\xae\xf3\xa0\x81\xa7\xf3\xa0\x81\xbf"sv,
    "\xf0\x9f\xa7\x91\xf0\x9f\x8f\xbf\xe2\x80\x8d\xf0\x9f\x9a\x80"sv,
    "\xe2\x80\x8d"sv,
    "\xef\xb8\x8f"sv,
    "\xf0\x9f\xab\xa8"sv,
    "\xf0\x9f\xab\x9f"sv,
};
constexpr std::array<std::string_view, 14> spaces = {
    " "sv,
    "\x0a"sv,
    "\x09"sv,
    "\x0d\x0a"sv,
    "\x0d"sv,
    "\xc2\xa0"sv,
    "\xe3\x80\x80"sv,
    "\xe2\x80\x83"sv,
    "\xe2\x80\xa8"sv,
    "\xc2\x85"sv,
    "\xe1\xa0\x8e"sv,
    "\xe2\x80\x8b"sv,
    "\x0b"sv,
    "\x0c"sv,
};
constexpr std::array<std::string_view, 11> invalid = {
    "\xff"sv,
    "\xc3"sv,
    "\xe2\x82"sv,
    "\xf0\x9f\x98"sv,
    "\xed\xa0\x80"sv,
    "\xc0\x80"sv,
    "\xf4\x90\x80\x80"sv,
    "\x80\x80"sv,
    "\xf0\x80\x80\x80"sv,
    "\xe2(\xa1"sv,
    "\xfe\xff"sv,
};
constexpr std::string_view punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

class Writer {
  public:
    Writer(uint64_t seed, const std::vector<std::string>& specials)
        : random_(seed), specials_(specials) {}

    uint64_t below(uint64_t bound) { return random_.next() % bound; }
    std::string text(uint64_t seed);

  private:
    static std::string point(char32_t value) {
        std::string bytes;
        if (value < 0xd800 || value >= 0xe000) append_utf8(bytes, value);
        return bytes;
    }
    std::string in_range(Range range) {
        return point(range.low + static_cast<char32_t>(below(range.high - range.low + 1)));
    }
    template <class Table>
    std::string one_of(const Table& table) {
        return std::string(table[below(table.size())]);
    }
    template <size_t N>
    std::string in_ranges(const std::array<Range, N>& ranges) {
        const Range range = ranges[below(N)];
        return in_range(range);
    }
    // The result of `make`, `count` times.
    template <class Make>
    std::string times(uint64_t count, const Make& make) {
        std::string result;
        for (uint64_t i = 0; i < count; ++i) result += make();
        return result;
    }
    static std::string byte(uint64_t value) { return std::string(1, static_cast<char>(value)); }
    static std::string repeated(const std::string& unit, uint64_t count) {
        std::string result;
        for (uint64_t i = 0; i < count; ++i) result += unit;
        return result;
    }

    std::string special() {
        return specials_.empty() ? "<|none|>" : specials_[below(specials_.size())];
    }
    std::string almost_special() {
        const std::string whole = special();
        const uint64_t cut = below(whole.size());
        return below(2) != 0 ? whole.substr(0, cut) : whole.substr(cut);
    }
    std::string letter() {
        const uint64_t first = below(2) != 0 ? 65 : 97;
        return byte(first + below(26));
    }
    std::string marked() {
        const std::string base = below(2) != 0 ? byte(97 + below(26)) : in_ranges(scripts);
        return base + times(1 + below(4), [this] { return in_ranges(marks); });
    }
    std::string script() {
        const Range range = scripts[below(scripts.size())];
        return times(1 + below(8), [&] {
            below(1);  // the choice among one
            return in_range(range);
        });
    }
    std::string run_of_spaces() {
        const std::string space = one_of(spaces);
        return repeated(space, 1 + below(below(40) + 1));
    }
    std::string run_of_controls() {
        const std::string control = byte(below(32));
        return repeated(control, 1 + below(3));
    }
    std::string fragment();

    Random random_;
    const std::vector<std::string>& specials_;
};

std::string Writer::fragment() {
    switch (below(16)) {
        case 0:
            return times(1 + below(12), [this] { return byte(97 + below(26)); });
        case 1:
            return std::string(" ").append(times(1 + below(8), [this] { return letter(); }));
        case 2:
            return script();
        case 3:
            return run_of_spaces();
        case 4:
            return times(1 + below(6), [this] { return one_of(spaces); });
        case 5:
            return times(1 + below(9), [this] { return byte(48 + below(10)); });
        case 6:
            return times(1 + below(6), [this] {
                return byte(static_cast<uint8_t>(punctuation[below(punctuation.size())]));
            });
        case 7:
            return one_of(emoji);
        case 8:
            return marked();
        case 9:
            return special();
        case 10:
            return almost_special();
        case 11:
            return point(static_cast<char32_t>(below(0x110000)));
        case 12:
            return one_of(invalid);
        case 13:
            return run_of_controls();
        case 14:
            return times(1 + below(3), [this] { return byte(below(256)); });
        default:
            return one_of(words);
    }
}

std::string Writer::text(uint64_t seed) {
    constexpr size_t long_line = 100'000;
    constexpr std::array<uint64_t, 4> unit_fragments = {1, 1, 3, 2000};
    if (seed % 500 == 499) {
        const uint64_t style = below(4);
        std::string unit = times(unit_fragments[style], [this] { return fragment(); });
        if (unit.empty()) unit = "a";
        return repeated(unit, long_line / unit.size() + 1);
    }
    std::string mixture = times(below(24), [this] { return fragment(); });
    // A special token that comes seldom otherwise: each of them in turn.
    if (!specials_.empty() && seed % 4 == 0) {
        mixture += specials_[seed / 4 % specials_.size()];
        mixture += fragment();
    }
    return mixture;
}

}  // namespace

std::string golden_text(uint64_t seed, const std::vector<std::string>& specials) {
    return Writer(seed, specials).text(seed);
}

}  // namespace lockstep
