# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts that tokenizers are compared on, made from a number: tests/unit/text/golden_texts.cpp makes
the same ones, so that only what becomes of them is stored."""

MASK = (1 << 64) - 1


class Random:
    """splitmix64, as core/base/random.h."""

    def __init__(self, seed):
        self.state = seed & MASK

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, bound):
        return self.next() % bound


# One range of code points per script, and the marks that combine with anything.
SCRIPTS = [
    (0x00C0, 0x024F), (0x0370, 0x03FF), (0x0400, 0x052F), (0x0531, 0x058F), (0x0591, 0x05F4),
    (0x0600, 0x06FF), (0x0700, 0x074F), (0x0780, 0x07BF), (0x07C0, 0x07FF), (0x0900, 0x097F),
    (0x0980, 0x09FF), (0x0A00, 0x0A7F), (0x0B80, 0x0BFF), (0x0C00, 0x0C7F), (0x0D00, 0x0D7F),
    (0x0D80, 0x0DFF), (0x0E01, 0x0E5B), (0x0E81, 0x0EDF), (0x0F00, 0x0FDA), (0x1000, 0x109F),
    (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137F), (0x13A0, 0x13FF), (0x1780, 0x17FF),
    (0x1800, 0x18AA), (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x20CF),
    (0x2100, 0x218F), (0x2190, 0x23FF), (0x2460, 0x24FF), (0x2600, 0x27BF), (0x2C60, 0x2DFF),
    (0x3000, 0x30FF), (0x3130, 0x318F), (0x4E00, 0x9FFF), (0xA640, 0xA6FF), (0xA720, 0xA7FF),
    (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFB00, 0xFB4F), (0xFE00, 0xFEFF), (0xFF00, 0xFFEF),
    (0x10330, 0x1034F), (0x10D40, 0x10D8F), (0x11F00, 0x11F5F), (0x12000, 0x120FF),
    (0x13440, 0x1345F), (0x16D40, 0x16D7F), (0x1CCF0, 0x1CCF9), (0x1D400, 0x1D7FF),
    (0x1E4D0, 0x1E4F9), (0x1F300, 0x1F64F), (0x1F900, 0x1FAFF), (0x20000, 0x200FF),
    (0x31350, 0x3137F), (0xE0000, 0xE007F), (0xF0000, 0xF00FF),
]
MARKS = [(0x0300, 0x036F), (0x0591, 0x05BD), (0x064B, 0x065F), (0x0E34, 0x0E3A), (0x1AB0, 0x1ACE),
         (0x1DC0, 0x1DFF), (0x20D0, 0x20F0), (0x3099, 0x309A), (0xFE20, 0xFE2F), (0x0D3B, 0x0D3C)]
WORDS = [
    "the", " the", "Hello", " world", "don't", "I'LL", "we've", "it's", "'s", "'S", "'\u017f", "'RE",
    "def", " return", "for(i=0;i<n;++i)", "{\n\t\"key\": [1, 2]}", "https://example.org/a?b=c&d#e",
    "snake_case", "CamelCase", "$100.00", "3.14159e-10", "1,234,567", "100%", "@user", "#tag",
    "Stra\u00dfe", "na\u00efve", "nai\u0308ve", "\u041f\u0440\u0438\u0432\u0435\u0442", "\u4f60\u597d\uff0c\u4e16\u754c",
    "\u3053\u3093\u306b\u3061\u306f", "\uc548\ub155\ud558\uc138\uc694", "\u0645\u0631\u062d\u0628\u0627", "\u0928\u092e\u0938\u094d\u0924\u0947",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u03b3\u03b5\u03b9\u03ac", "\u05e9\u05dc\u05d5\u05dd", "\u1112\u1161\u11ab", "\u212b", "\ufb03",
    "<|", "|>", "<", ">", "<s", "</", "<0x41>", "<0x0A>", "\u2581", "\u2581\u2581", "\u0120", "\u010a", "[INST]", "<unk>",
]
EMOJI = [
    "\U0001f600", "\U0001f44d\U0001f3fd", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U0001f3f4\u200d\u2620\ufe0f", "\U0001f1e9\U0001f1ea", "\u2764\ufe0f", "1\ufe0f\u20e3",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\U0001f9d1\U0001f3ff\u200d\U0001f680",
    "\u200d", "\ufe0f", "\U0001fae8", "\U0001fadf",
]
SPACES = [" ", "\n", "\t", "\r\n", "\r", "\u00a0", "\u3000", "\u2003", "\u2028", "\u0085", "\u180e", "\u200b", "\x0b", "\x0c"]
INVALID = [b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80",
           b"\x80\x80", b"\xf0\x80\x80\x80", b"\xe2(\xa1", b"\xfe\xff"]
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def encode_point(point):
    return b"" if 0xD800 <= point < 0xE000 else chr(point).encode()


def in_ranges(random, ranges):
    low, high = ranges[random.below(len(ranges))]
    return encode_point(low + random.below(high - low + 1))


def fragment(random, specials):
    kind = random.below(16)
    if kind == 0:
        return bytes(97 + random.below(26) for _ in range(1 + random.below(12)))
    if kind == 1:
        return b" " + bytes((97, 65)[random.below(2)] + random.below(26) for _ in range(1 + random.below(8)))
    if kind == 2:
        script = [SCRIPTS[random.below(len(SCRIPTS))]]
        return b"".join(in_ranges(random, script) for _ in range(1 + random.below(8)))
    if kind == 3:
        space = SPACES[random.below(len(SPACES))].encode()
        return space * (1 + random.below(random.below(40) + 1))
    if kind == 4:
        return b"".join(SPACES[random.below(len(SPACES))].encode() for _ in range(1 + random.below(6)))
    if kind == 5:
        return bytes(48 + random.below(10) for _ in range(1 + random.below(9)))
    if kind == 6:
        return bytes(ord(PUNCTUATION[random.below(len(PUNCTUATION))]) for _ in range(1 + random.below(6)))
    if kind == 7:
        return EMOJI[random.below(len(EMOJI))].encode()
    if kind == 8:
        base = bytes([97 + random.below(26)]) if random.below(2) else in_ranges(random, SCRIPTS)
        return base + b"".join(in_ranges(random, MARKS) for _ in range(1 + random.below(4)))
    if kind == 9:
        return specials[random.below(len(specials))].encode() if specials else b"<|none|>"
    if kind == 10:
        # Almost a special token.
        text = specials[random.below(len(specials))].encode() if specials else b"<|none|>"
        cut = random.below(len(text))
        return text[:cut] if random.below(2) else text[cut:]
    if kind == 11:
        return encode_point(random.below(0x110000))
    if kind == 12:
        return INVALID[random.below(len(INVALID))]
    if kind == 13:
        return bytes([random.below(32)]) * (1 + random.below(3))
    if kind == 14:
        return bytes(random.below(256) for _ in range(1 + random.below(3)))
    return WORDS[random.below(len(WORDS))].encode()


LONG_LINE = 100_000  # bytes, about


def golden_text(seed, specials):
    """Bytes, not always UTF-8. Every 500th is long: one fragment's kind over and over, or a mixture."""
    random = Random(seed)
    if seed % 500 == 499:
        style = random.below(4)
        unit = b"".join(fragment(random, specials) for _ in range((1, 1, 3, 2000)[style]))
        unit = unit or b"a"
        return unit * (LONG_LINE // len(unit) + 1)
    mixture = b"".join(fragment(random, specials) for _ in range(random.below(24)))
    # A special token that comes seldom otherwise: each of them in turn.
    if specials and seed % 4 == 0:
        mixture = mixture + specials[seed // 4 % len(specials)].encode() + fragment(random, specials)
    return mixture
