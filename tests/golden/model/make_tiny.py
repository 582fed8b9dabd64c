# SPDX-License-Identifier: GPL-3.0-or-later
"""tiny.json and tiny.bin: what transformers computes for the tiny random models of tiny_recipes.json.

Run: python make_tiny.py   (needs torch, transformers, numpy)

The weights come from splitmix64, so that core/model/random_model.cpp makes the same ones: tensor
number n of a recipe is drawn from a generator seeded with seed * 1000 + n. All values are bfloat16
numbers, so that float32 and bfloat16 models hold the same weights."""
import copy
import json
import pathlib

import numpy as np
import torch
import transformers
from golden_file import GoldenFile, run

FOLDER = pathlib.Path(__file__).parent
LENGTHS = [1, 2, 17, 130]
LONGEST = max(LENGTHS)


def splitmix64(seed, count):
    mask = np.uint64(0xFFFFFFFFFFFFFFFF)
    with np.errstate(over="ignore"):
        steps = np.arange(1, count + 1, dtype=np.uint64)
        z = (np.uint64(seed) + steps * np.uint64(0x9E3779B97F4A7C15)) & mask
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def draw(recipe, number, shape, middle, spread):
    """Uniform in [middle - spread, middle + spread), rounded to bfloat16."""
    unit = (splitmix64(recipe["seed"] * 1000 + number, int(np.prod(shape))) >> np.uint64(40)) / 2.0**24
    values = (middle + (2 * unit - 1) * spread).astype(np.float32)
    return torch.from_numpy(values.reshape(shape)).bfloat16().float()


def make_weights(recipe):
    r = recipe
    hidden, inner = r["hidden_size"], r["intermediate_size"]
    q_rows = r["num_attention_heads"] * r["head_dim"]
    kv_rows = r["num_key_value_heads"] * r["head_dim"]

    def matrix(number, rows, columns, gain=1.0):
        return draw(r, number, (rows, columns), 0.0, gain * (3 / columns) ** 0.5)

    def norm(number):
        return draw(r, number, (hidden,), 1.0, 0.3)

    weights = {
        "model.embed_tokens.weight": draw(r, 0, (r["vocab_size"], hidden), 0.0, 1.5),
        "model.norm.weight": norm(1),
    }
    if not r["tie_word_embeddings"]:
        weights["lm_head.weight"] = matrix(2, r["vocab_size"], hidden, gain=2.0)
    for layer in range(r["num_hidden_layers"]):
        base, first = f"model.layers.{layer}.", 16 * (layer + 1)
        weights[base + "input_layernorm.weight"] = norm(first)
        weights[base + "self_attn.q_proj.weight"] = matrix(first + 1, q_rows, hidden)
        weights[base + "self_attn.k_proj.weight"] = matrix(first + 2, kv_rows, hidden)
        weights[base + "self_attn.v_proj.weight"] = matrix(first + 3, kv_rows, hidden)
        if r["architecture"] == "qwen2":
            weights[base + "self_attn.q_proj.bias"] = draw(r, first + 4, (q_rows,), 0.0, 1.0)
            weights[base + "self_attn.k_proj.bias"] = draw(r, first + 5, (kv_rows,), 0.0, 1.0)
            weights[base + "self_attn.v_proj.bias"] = draw(r, first + 6, (kv_rows,), 0.0, 1.0)
        weights[base + "self_attn.o_proj.weight"] = matrix(first + 7, hidden, q_rows)
        weights[base + "post_attention_layernorm.weight"] = norm(first + 8)
        weights[base + "mlp.gate_proj.weight"] = matrix(first + 9, inner, hidden)
        weights[base + "mlp.up_proj.weight"] = matrix(first + 10, inner, hidden)
        weights[base + "mlp.down_proj.weight"] = matrix(first + 11, hidden, inner)
    return weights


def make_model(recipe):
    family = {"qwen2": "Qwen2", "llama": "Llama"}[recipe["architecture"]]
    own = {"name", "architecture", "seed", "rope_scaling", "rope_theta"}
    settings = {key: value for key, value in recipe.items() if key not in own}
    rope = dict(recipe.get("rope_scaling", {"rope_type": "default"}), rope_theta=recipe["rope_theta"])
    config = getattr(transformers, family + "Config")(
        **settings, max_position_embeddings=512, rope_parameters=rope)
    model = getattr(transformers, family + "ForCausalLM")(config).float().eval()
    missing, unexpected = model.load_state_dict(make_weights(recipe), strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    model.tie_weights()
    return model


def main():
    torch.set_num_threads(1)
    golden, models = GoldenFile(), []
    for recipe in json.loads((FOLDER / "tiny_recipes.json").read_text()):
        exact = make_model(recipe)
        rounded = copy.deepcopy(exact).bfloat16()
        assert exact.model.rotary_emb.inv_freq.dtype == torch.float32
        ids = (splitmix64(recipe["seed"] * 1000 + 999, LONGEST) % np.uint64(recipe["vocab_size"])).astype(np.int64)
        # Short inputs are kept whole, of the long one every 8th channel.
        cases = []
        for length in LENGTHS:
            step = 8 if length == LONGEST else 1
            rows = list(range(length))[-4:]
            case = {"tokens": length, "channel_step": step, "logits_rows": rows}
            for name, model in (("f32", exact), ("bf16", rounded)):
                hidden, logits = run(model, ids[:length])
                case["hidden_" + name] = golden.add(hidden[:, :, ::step])
                case["logits_" + name] = golden.add(logits[rows])
            cases.append(case)
        models.append({
            "name": recipe["name"], "ids": golden.add(torch.from_numpy(ids)),
            "inv_freq": golden.add(exact.model.rotary_emb.inv_freq), "cases": cases,
        })
    golden.write(FOLDER / "tiny", {
        "made_with": f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}, CPU",
        "attention": exact.config._attn_implementation, "models": models,
    })


if __name__ == "__main__":
    main()
