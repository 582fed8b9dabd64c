#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What transformers' logits warpers keep of some distributions, in Lockstep's order of filters.

    python3 make_goldens.py > warpers.json      # transformers 4.5x or later, torch, numpy

Logits are multiples of 1/64 without ties among those near a border, so that both sides read the
same numbers.
"""
import json

import numpy as np
import torch
from transformers.generation import logits_process as lp

rng = np.random.default_rng(20240607)


def make_logits(size, spread):
    """Distinct multiples of 1/64."""
    values = np.unique(np.round(rng.normal(0, spread, size * 3) * 64) / 64)
    return rng.permutation(values)[:size].astype(np.float32)


def expected(logits, history, options):
    ids = torch.tensor([history], dtype=torch.long)
    scores = torch.tensor(logits, dtype=torch.float64)[None]
    window = options.get("penalty_window", 64)
    seen = history[-window:] if window else history
    if options.get("repetition_penalty", 1) != 1 and seen:
        warper = lp.RepetitionPenaltyLogitsProcessor(options["repetition_penalty"])
        scores = warper(torch.tensor([seen], dtype=torch.long), scores)
    for token in set(seen):  # OpenAI's formula
        scores[0, token] -= options.get("presence_penalty", 0)
        scores[0, token] -= options.get("frequency_penalty", 0) * seen.count(token)
    for name, warper in (
        ("temperature", lp.TemperatureLogitsWarper),
        ("top_k", lp.TopKLogitsWarper),
        ("typical_p", lp.TypicalLogitsWarper),
        ("top_p", lp.TopPLogitsWarper),
        ("min_p", lp.MinPLogitsWarper),
    ):
        if name in options:
            scores = warper(options[name])(ids, scores)
    logprobs = torch.log_softmax(scores, -1)[0]
    kept = [i for i in range(len(logits)) if torch.isfinite(logprobs[i])]
    kept.sort(key=lambda i: (-float(logprobs[i]), i))
    return [[i, round(float(logprobs[i]), 12)] for i in kept]


def cases():
    single = [
        ("temperature", [0.3, 0.7, 1.0, 1.5, 4.0]),
        ("top_k", [1, 2, 5, 40]),
        ("top_p", [0.05, 0.3, 0.9, 0.95, 0.999]),
        ("min_p", [0.01, 0.05, 0.2, 0.9]),
        ("typical_p", [0.1, 0.3, 0.6, 0.95]),
        ("repetition_penalty", [0.5, 1.1, 1.8]),
        ("presence_penalty", [-0.5, 0.4, 1.5]),
        ("frequency_penalty", [-0.25, 0.3, 1.0]),
    ]
    for name, values in single:
        for value in values:
            for size, spread in ((5, 1), (50, 2), (150, 0.7)):
                yield size, spread, {"temperature": 1.0, name: value}
    for _ in range(60):
        options = {"temperature": round(float(rng.uniform(0.3, 2)), 2)}
        for name, low, high in (
            ("top_p", 0.2, 0.99), ("min_p", 0.005, 0.3), ("typical_p", 0.2, 0.97),
            ("repetition_penalty", 0.8, 1.6), ("presence_penalty", -1, 1),
            ("frequency_penalty", -1, 1),
        ):
            if rng.random() < 0.6:
                options[name] = round(float(rng.uniform(low, high)), 3)
        if rng.random() < 0.6:
            options["top_k"] = int(rng.integers(1, 60))
        options["penalty_window"] = int(rng.choice([0, 3, 16, 64]))
        yield int(rng.integers(2, 120)), float(rng.uniform(0.3, 4)), options


def main():
    rows = []
    for size, spread, options in cases():
        logits = make_logits(size, spread)
        history = [int(i) for i in rng.integers(0, len(logits), int(rng.integers(0, 90)))]
        if any(name.endswith("penalty") for name in options):
            # Penalties may make ties; that is what the total order is for, not for this file.
            history = history[: len(set(history))]
        rows.append({
            "logits": [float(x) for x in logits],
            "history": history,
            "options": options,
            "kept": expected(logits, history, options),
        })
    print("[")
    print(",\n".join(json.dumps(row, separators=(",", ":")) for row in rows))
    print("]")


main()
