# SPDX-License-Identifier: GPL-3.0-or-later
"""tiny_cuda.json: how far from float32 transformers' own bfloat16 run on a GPU is, for the tiny random models
of tiny_recipes.json.

Run where there is a GPU: python make_tiny_cuda.py > tiny_cuda.json   (needs torch, transformers, numpy)

Per model, over the inputs of make_tiny.py: the RMS and the largest error of each layer's hidden (the
embedding's first) and, last, of the logits, and of how many elements."""
import copy
import json
import sys

import numpy as np
import torch
import transformers
from golden_file import one_entry_a_line, run
from make_tiny import FOLDER, LENGTHS, LONGEST, make_model, splitmix64


def main():
    if not torch.cuda.is_available():
        raise SystemExit("there is no GPU here")
    torch.set_num_threads(1)
    models = []
    for recipe in json.loads((FOLDER / "tiny_recipes.json").read_text()):
        exact = make_model(recipe)
        rounded = copy.deepcopy(exact).bfloat16().cuda()
        rounded.set_attn_implementation("eager")
        ids = (splitmix64(recipe["seed"] * 1000 + 999, LONGEST) % np.uint64(recipe["vocab_size"])).astype(np.int64)
        sums = {}
        for length in LENGTHS:
            hidden, logits = run(exact, ids[:length])
            own_hidden, own_logits = run_on_gpu(rounded, ids[:length])
            pairs = [*zip(own_hidden, hidden), (own_logits, logits)]
            for place, (own, true) in enumerate(pairs):
                error = (own - true.double()).abs()
                squares, largest, count = sums.get(place, (0.0, 0.0, 0))
                sums[place] = (squares + float((error ** 2).sum()), max(largest, float(error.max())),
                               count + error.numel())
        models.append({"name": recipe["name"],
                       "rms": [float(f"{(s / n) ** 0.5:.6g}") for s, _, n in sums.values()],
                       "max": [float(f"{m:.6g}") for _, m, _ in sums.values()],
                       "count": [n for *_, n in sums.values()]})
    sys.stdout.write(one_entry_a_line({
        "made_with": f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}, "
                     f"{torch.cuda.get_device_name(0)}",
        "attention": "eager", "models": models}))


def run_on_gpu(model, ids):
    hidden, logits = run(model, torch.as_tensor(ids, dtype=torch.long, device="cuda"))
    return hidden.cpu().double(), logits.cpu().double()


if __name__ == "__main__":
    main()
