#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes rope.json: configs as transformers saves them, in today's shape (rope_parameters) and in the
one before transformers 5 (rope_theta, rope_scaling), and the inv_freq that its model computes.

    make.py
"""
import json
import pathlib

from transformers import LlamaConfig, Qwen2Config
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

SIZES = dict(hidden_size=192, intermediate_size=64, num_hidden_layers=2, num_attention_heads=3,
             num_key_value_heads=1, vocab_size=64, max_position_embeddings=131072, eos_token_id=2,
             bos_token_id=1)
LLAMA3 = dict(rope_type="llama3", factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=8192)
CASES = [
    ("llama default", LlamaConfig, {}, 10000.0, None),
    ("SmolLM2's theta", LlamaConfig, {}, 100000.0, None),
    ("qwen2", Qwen2Config, {}, 1000000.0, None),
    ("head_dim of its own", LlamaConfig, {"head_dim": 80}, 500000.0, None),
    ("linear", LlamaConfig, {"head_dim": 96}, 10000.0, {"rope_type": "linear", "factor": 2.5}),
    ("llama 3.2 1B", LlamaConfig, {"head_dim": 64}, 500000.0, LLAMA3),
    ("llama 3.1 8B", LlamaConfig, {"head_dim": 128}, 500000.0, LLAMA3 | {"factor": 8.0}),
    ("llama3 scaling on qwen2", Qwen2Config, {}, 1000000.0, LLAMA3 | {"high_freq_factor": 3.0}),
]

cases = []
for name, kind, sizes, theta, scaling in CASES:
    parameters = {"rope_theta": theta} | (scaling or {"rope_type": "default"})
    config = kind(**SIZES, **sizes, rope_parameters=parameters)
    rotary = LlamaRotaryEmbedding if kind is LlamaConfig else Qwen2RotaryEmbedding
    today = json.loads(config.to_json_string(use_diff=False))
    before = {key: value for key, value in today.items() if key != "rope_parameters"}
    before |= {"rope_theta": theta, "rope_scaling": scaling}
    if scaling and scaling["rope_type"] == "linear":
        before["rope_scaling"] = {"type": "linear", "factor": scaling["factor"]}
    cases.append({"name": name, "today": today, "before": before,
                  "inv_freq": [float(x) for x in rotary(config).inv_freq]})
out = pathlib.Path(__file__).with_name("rope.json")
out.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
