#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Python's bytes.decode("utf-8", "replace") makes of damaged texts.

    python3 make_goldens.py > replaced.json     # [[bytes as hex, text], ...]
"""
import json
import random

random.seed(11)
LEADS = [0x00, 0x41, 0x7F, 0x80, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
         0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF]
NEXT = [0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC2]
TEXT = "aé€😀\u0000\uFFFD\U0010FFFFλ한 \n"


def texts():
    for lead in LEADS:
        yield bytes([lead])
        for second in NEXT:
            yield bytes([lead, second])
            yield bytes([lead, second, 0x80])
            yield bytes([lead, second, 0x80, 0xBF])
    for _ in range(300):
        data = bytearray("".join(random.choice(TEXT) for _ in range(random.randint(1, 12))).encode())
        for _ in range(random.randint(0, 4)):
            at = random.randrange(len(data))
            if random.random() < 0.5:
                data[at] = random.randrange(256)
            elif len(data) > 1:
                del data[at]
        yield bytes(data)


rows = [[data.hex(), data.decode("utf-8", "replace")] for data in texts()]
print("[" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "]")
