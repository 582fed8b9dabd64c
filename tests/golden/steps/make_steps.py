# SPDX-License-Identifier: GPL-3.0-or-later
"""steps.json and steps.bin: every tensor inside one Qwen2 layer, as transformers computes it.

Run: python make_steps.py   (needs torch, transformers, numpy)

One layer with random weights, a prompt of 9 tokens and one token after it, in bfloat16 and in float32 (the
same weights, which are bfloat16 numbers), eager attention. tst_reference_steps.cpp gives each step the inputs
that transformers' modules had and compares its taps with what they put out."""
import pathlib
import sys

import torch
import transformers
from transformers.models.qwen2 import modeling_qwen2

FOLDER = pathlib.Path(__file__).parent
sys.path.append(str(FOLDER.parent / "model"))
from golden_file import GoldenFile  # noqa: E402

SIZES = dict(hidden_size=72, num_attention_heads=6, num_key_value_heads=2, head_dim=16, intermediate_size=90,
             vocab_size=51, rms_norm_eps=1e-6, rope_theta=1000.0)
PROMPT = 9


def make_model():
    torch.manual_seed(7)
    sizes = dict(SIZES)
    theta = sizes.pop("rope_theta")
    config = transformers.Qwen2Config(**sizes, num_hidden_layers=1, max_position_embeddings=64,
                                      rope_parameters={"rope_type": "default", "rope_theta": theta},
                                      tie_word_embeddings=False, attn_implementation="eager")
    model = transformers.Qwen2ForCausalLM(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            spread = 0.3 if weight.dim() == 1 else 1.2 / weight.shape[1] ** 0.5
            middle = 1.0 if "norm" in name else 0.0
            if "embed" in name:
                spread = 1.0
            weight.copy_((middle + spread * torch.randn_like(weight)).bfloat16().float())
            if "embed" in name:
                weight[:, 5] *= 16  # a channel far larger than the rest, as trained models have
    return model


def in_bfloat16(model):
    inv_freq = model.model.rotary_emb.inv_freq
    model = model.bfloat16()
    model.model.rotary_emb.inv_freq = inv_freq  # from_pretrained leaves it in float32, too
    return model


class Taps:
    """What each module was given and put out, in one forward pass."""

    def __init__(self, model):
        self.values = {}
        layer = model.model.layers[0]
        outputs = {"embedded": model.model.embed_tokens, "normed": layer.input_layernorm,
                   "q_projected": layer.self_attn.q_proj, "k_projected": layer.self_attn.k_proj,
                   "v": layer.self_attn.v_proj, "mlp_normed": layer.post_attention_layernorm, "hidden": layer,
                   "final_normed": model.model.norm, "logits": model.lm_head}
        inputs = {"attn": layer.self_attn.o_proj, "hidden_attn": layer.post_attention_layernorm,
                  "mlp": layer.mlp.down_proj}
        for name, module in outputs.items():
            module.register_forward_hook(self.output(name))
        for name, module in inputs.items():
            module.register_forward_pre_hook(self.input(name))
        rotate = modeling_qwen2.apply_rotary_pos_emb

        def rotate_and_keep(q, k, cos, sin, *rest, **more):
            rotated = rotate(q, k, cos, sin, *rest, **more)
            self.values["q"], self.values["k"] = (x[0].transpose(0, 1).clone() for x in rotated)
            return rotated

        modeling_qwen2.apply_rotary_pos_emb = rotate_and_keep
        self.restore = lambda: setattr(modeling_qwen2, "apply_rotary_pos_emb", rotate)

    def output(self, name):
        def keep(module, args, output):
            self.values[name] = (output[0] if isinstance(output, tuple) else output)[0].clone()
        return keep

    def input(self, name):
        def keep(module, args):
            self.values[name] = args[0][0].clone()
        return keep


@torch.no_grad()
def run(model, ids, golden):
    """The taps of the prompt and of the token after it."""
    taps = Taps(model)
    cache = transformers.DynamicCache()
    calls = []
    for first, part in ((0, ids[:PROMPT]), (PROMPT, ids[PROMPT:])):
        model(input_ids=torch.tensor([part]), past_key_values=cache, use_cache=True)
        calls.append({"first_row": first, "taps": {name: golden.add(x) for name, x in taps.values.items()}})
    taps.restore()
    return calls


def main():
    torch.use_deterministic_algorithms(True)
    golden = GoldenFile()
    ids = [3, 50, 0, 7, 7, 21, 49, 13, 30, 11]
    model = make_model()
    weights = {name: golden.add(weight.bfloat16()) for name, weight in model.named_parameters()}
    positions = torch.arange(len(ids))[None]
    angles = torch.outer(positions[0].float(), model.model.rotary_emb.inv_freq)
    description = {"sizes": SIZES, "ids": ids, "torch": torch.__version__,
                   "transformers": transformers.__version__, "weights": weights,
                   "rope_cos": golden.add(angles.cos()), "rope_sin": golden.add(angles.sin()),
                   "f32": run(model, ids, golden), "bf16": run(in_bfloat16(make_model()), ids, golden)}
    golden.write(FOLDER / "steps", description)


if __name__ == "__main__":
    main()
