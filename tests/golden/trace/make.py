# SPDX-License-Identifier: GPL-3.0-or-later
"""good.safetensors and no_k_bias.safetensors: what tools/trace_transformers.py makes of a tiny random
Qwen2 model (tests/golden/model/tiny_recipes.json), as it is and with k's bias of layer 1 dropped.

Run: python make.py   (needs torch, transformers, numpy, safetensors)"""
import json
import pathlib
import sys

import torch

FOLDER = pathlib.Path(__file__).resolve().parent
TESTS = FOLDER.parent.parent
sys.path[:0] = [str(TESTS / "golden" / "model"), str(TESTS.parent / "tools")]

from make_tiny import make_model  # noqa: E402
from trace_transformers import trace  # noqa: E402

PROMPT = [3, 14, 15, 92, 65]


def main():
    torch.set_num_threads(1)
    recipes = json.loads((TESTS / "golden" / "model" / "tiny_recipes.json").read_text())
    recipe = next(r for r in recipes if r["name"] == "qwen2-gqa7-tied")
    model = make_model(recipe)
    inv_freq = model.model.rotary_emb.inv_freq.clone()
    model = model.bfloat16()
    model.model.rotary_emb.inv_freq = inv_freq  # a buffer, which .bfloat16() rounds and loading does not
    for name in ["good", "no_k_bias"]:
        if name == "no_k_bias":
            model.model.layers[1].self_attn.k_proj.bias.data.zero_()
        missing = trace(model, PROMPT, FOLDER / f"{name}.safetensors", decode_steps=2, name=recipe["name"])
        assert not missing, missing


if __name__ == "__main__":
    main()
