#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes smollm2.json: SHA-256 of the float32 bytes of tensors of SmolLM2-135M-Instruct.Q4_1.gguf as
transformers loads them (q and k un-permuted), and the first values of some rows to look at.

    make.py <folder that holds the GGUF>
"""
import hashlib
import json
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM

folder = sys.argv[1]
model = AutoModelForCausalLM.from_pretrained(
    folder, gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf", dtype=torch.float32)
tensors = {}
for name, value in model.state_dict().items():
    parts = name.split(".")
    if parts[1] == "layers" and parts[2] not in ("0", "17", "29"):
        continue
    array = value.numpy().astype("<f4", copy=False)
    first = array[:40:13].reshape(-1, array.shape[-1])[:, :3] if array.ndim > 1 else array[None, :3]
    tensors[name] = {"shape": list(array.shape), "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
                     "rows_0_13_26_39": [[float(x) for x in row] for row in first]}
out = pathlib.Path(__file__).with_name("smollm2.json")
out.write_text(json.dumps(tensors, indent=1) + "\n")
