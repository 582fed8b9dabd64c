# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the goldens' numbers go: NAME.json says what there is, NAME.bin holds the tensors.

A tensor is {"dtype": "f32" | "bf16" | "i32", "shape": [...], "offset": bytes into NAME.bin}, little-endian.
tests/support/golden_file.h reads it."""
import json

import numpy as np
import torch


class GoldenFile:
    def __init__(self):
        self.bytes = bytearray()

    def add(self, tensor):
        tensor = torch.as_tensor(tensor).detach().contiguous()
        if tensor.dtype == torch.bfloat16:
            dtype, data = "bf16", tensor.view(torch.int16).numpy()
        elif tensor.dtype.is_floating_point:
            dtype, data = "f32", tensor.float().numpy()
        else:
            dtype, data = "i32", tensor.to(torch.int32).numpy()
        entry = {"dtype": dtype, "shape": list(tensor.shape), "offset": len(self.bytes)}
        self.bytes += np.ascontiguousarray(data).tobytes()
        self.bytes += bytes(-len(self.bytes) % 4)
        return entry

    def write(self, stem, description):
        stem.with_suffix(".bin").write_bytes(self.bytes)
        stem.with_suffix(".json").write_text(one_entry_a_line(description))


def one_entry_a_line(description):
    def line(value):
        return json.dumps(value, ensure_ascii=False)

    def field(key, value):
        if isinstance(value, list):
            return line(key) + ": [\n  " + ",\n  ".join(map(line, value)) + "\n]"
        return line(key) + ": " + line(value)

    return "{\n" + ",\n".join(field(*item) for item in description.items()) + "\n}\n"


class LayerOutputs:
    """Every layer's `hidden` of one forward pass: the embedding's and each decoder layer's output."""

    def __init__(self, model):
        self.hidden = []
        modules = [model.model.embed_tokens, *model.model.layers]
        self.hooks = [module.register_forward_hook(self.keep) for module in modules]

    def keep(self, module, inputs, output):
        self.hidden.append((output[0] if isinstance(output, tuple) else output)[0].clone())

    def remove(self):
        for hook in self.hooks:
            hook.remove()


@torch.no_grad()
def run(model, ids):
    """(hidden [L + 1, T, H], logits [T, V]) in the model's dtype."""
    outputs = LayerOutputs(model)
    hidden_rows = torch.as_tensor(ids, dtype=torch.long)[None]
    logits = model(input_ids=hidden_rows, use_cache=False).logits[0]
    outputs.remove()
    return torch.stack(outputs.hidden), logits
