#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes <type>.bin for each stored type: `blocks` blocks of it, as little-endian bytes, then the
float32 values that gguf.dequantize gives for them. The bytes are random (every bit pattern of
nibbles and scales), the f16 scales finite, with zeros, subnormals and the largest ones among them.

    make.py
"""
import pathlib

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type, dequantize

SCALES = {  # offsets of f16 fields inside a block
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0],
    Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208],
}
EDGES = np.array([0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x7BFF, 0xFBFF], dtype=np.uint16)


def finite_f16(rng, count):
    bits = rng.integers(0, 0x10000, count, dtype=np.uint32).astype(np.uint16)
    bits[(bits & 0x7C00) == 0x7C00] &= 0x83FF
    bits[: len(EDGES)] = EDGES
    return bits


def blocks_of(kind, rng):
    size, bytes_per_block = GGML_QUANT_SIZES[kind]
    count = 64 if size == 32 else 24
    if kind == Type.F16:
        return finite_f16(rng, 4096).view(np.uint8).reshape(1, -1)
    if kind in (Type.F32, Type.BF16):  # every pattern but NaN
        half = rng.integers(0, 0x10000, 4096, dtype=np.uint32).astype(np.uint16)
        half[(half & 0x7F80) == 0x7F80] = 0x7F80
        if kind == Type.BF16:
            return half.view(np.uint8).reshape(1, -1)
        return ((half.astype(np.uint32) << 16) + np.where(half == 0x7F80, 0, 0x1234).astype(np.uint32)
                ).view(np.uint8).reshape(1, -1)
    blocks = rng.integers(0, 256, (count, bytes_per_block), dtype=np.uint8)
    for offset in SCALES[kind]:
        blocks[:, offset:offset + 2] = finite_f16(rng, count).view(np.uint8).reshape(count, 2)
        rng.shuffle(blocks)
    return blocks


for kind in [Type.F32, Type.F16, Type.BF16, *SCALES]:
    stored = blocks_of(kind, np.random.default_rng(20260801 + int(kind)))
    if kind in (Type.F32, Type.F16):
        values = stored.reshape(-1).view(np.float32 if kind == Type.F32 else np.float16).astype(np.float32)
    else:
        values = dequantize(stored, kind).astype(np.float32)
    path = pathlib.Path(__file__).with_name(f"{kind.name.lower()}.bin")
    path.write_bytes(stored.tobytes() + values.astype("<f4").tobytes())
