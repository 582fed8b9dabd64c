#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""transformers beside Lockstep, on the CPU and on a GPU: run_transformers.py LOCKSTEP

Makes two tiny random models in a temporary folder, and
 - captures transformers' runs with tools/trace_transformers.py; `lockstep compare --candidate trace:F`
   must find that they match, on either device, and must find a fault that a patch puts into one layer;
 - prints how far from truth transformers' own CUDA run and Lockstep's CUDA reference are, as the ratio of
   their RMS errors per layer; the reference must not be further away (1.1 times, over all prompts).

Exit status: 0 as it should be, 1 not, 77 where torch, transformers or a GPU is missing."""
import contextlib
import io
import json
import math
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/golden/model"), str(ROOT / "tools")]
try:
    import torch
    import transformers
    from safetensors import safe_open

    import make_tiny
    import trace_transformers
except ImportError as error:
    print(f"SKIP   : {error}")
    sys.exit(77)

LOCKSTEP = sys.argv[1] if len(sys.argv) > 1 else "lockstep"
DECODE = 4
PROMPTS = ["H", "Hello, world. Are these two the same?",
           "A kernel that passes its own test may still be wrong where it stands. " * 3]
COMMON = {"rms_norm_eps": 1e-06, "vocab_size": 259, "intermediate_size": 200, "num_hidden_layers": 3}
RECIPES = [
    {"name": "tiny-qwen2", "architecture": "qwen2", "seed": 51, "hidden_size": 112, "num_attention_heads": 7,
     "num_key_value_heads": 1, "head_dim": 32, "rope_theta": 1000000.0, "tie_word_embeddings": False, **COMMON},
    {"name": "tiny-llama", "architecture": "llama", "seed": 52, "hidden_size": 96, "num_attention_heads": 6,
     "num_key_value_heads": 2, "head_dim": 64, "rope_theta": 10000.0, "tie_word_embeddings": True, **COMMON},
]
ALLOWED = 1.1  # the share that the CPU's reference is allowed beside its golden, too

FAULTS = {  # a patch for trace_transformers.py, where it acts, and what Lockstep calls it
    "rope_interleaved": ("qkv", """
import torch
def install(model):
    import sys
    module = sys.modules[type(model.model.layers[1].self_attn).__module__]
    honest, attention = module.apply_rotary_pos_emb, model.model.layers[1].self_attn
    def wrong(x, cos, sin):
        half = x.shape[-1] // 2
        cos, sin = (t.unsqueeze(1)[..., :half] for t in (cos, sin))
        even, odd = x[..., 0::2], x[..., 1::2]
        return torch.stack((even * cos - odd * sin, odd * cos + even * sin), -1).flatten(-2)
    def rotate(q, k, cos, sin, *rest, **more):
        if rotate.here:
            return wrong(q, cos, sin).to(q.dtype), wrong(k, cos, sin).to(k.dtype)
        return honest(q, k, cos, sin, *rest, **more)
    rotate.here = False
    module.apply_rotary_pos_emb = rotate
    attention.register_forward_pre_hook(lambda *_: setattr(rotate, "here", True))
    attention.register_forward_hook(lambda *_: setattr(rotate, "here", False))
"""),
    "gate_up_swapped": ("gate_up", """
def install(model):
    mlp = model.model.layers[1].mlp
    mlp.gate_proj, mlp.up_proj = mlp.up_proj, mlp.gate_proj
"""),
}


def make_folder(recipe, folder):
    """A Hugging Face folder whose tokens are bytes."""
    folder.mkdir()
    make_tiny.make_model(recipe).bfloat16().save_pretrained(folder)
    vocabulary, following = {}, 256
    for byte in range(256):
        printable = 32 < byte < 127 or byte > 160 and byte != 173
        vocabulary[chr(byte if printable else following)] = byte
        following += not printable
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    added = [{"id": 256 + i, "content": f"<|{i}|>", "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for i in range(3)]
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
             "vocab": vocabulary, "merges": []}
    (folder / "tokenizer.json").write_text(json.dumps(
        {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
         "pre_tokenizer": level, "post_processor": None, "decoder": level, "model": model}))
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "GPT2Tokenizer", "eos_token": "<|2|>", "add_bos_token": False}))


def lockstep(*arguments):
    return subprocess.run([LOCKSTEP, *map(str, arguments)], capture_output=True, text=True, check=False)


def lockstep_trace(folder, prompt, path, device, out, dtype="bf16", forced=None):
    more = ["--decode-ids", ",".join(map(str, forced))] if forced else ["--decode", DECODE]
    done = lockstep("trace", "--model", folder, "--prompt", prompt, "--path", path, "--device", device,
                    "--dtype", dtype, "--out", out, *more)
    if done.returncode != 0:
        raise SystemExit(f"lockstep trace: {done.stderr}")


def transformers_trace(folder, prompt, device, out, dtype="bf16", forced=None, patch=None):
    more = ["--decode-ids", ",".join(map(str, forced))] if forced else ["--decode", str(DECODE)]
    if patch:
        more += ["--patch", f"{patch}:install"]
    ids = ",".join(str(byte) for byte in prompt.encode())
    # As its command line does it, but torch is loaded once.
    sys.argv = ["trace_transformers.py", "--model", str(folder), "--prompt-ids", ids, "--device", device,
                "--dtype", dtype, "--attention", "eager", "--out", str(out), *more]
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        trace_transformers.main()
    if "not seen" in said.getvalue():
        print(said.getvalue().strip())


def judge(folder, file, device):
    """(exit status, its last line, the first divergence's step, causes)"""
    report = file.with_suffix(".json")
    done = lockstep("compare", "--model", folder, "--candidate", f"trace:{file}", "--device", device,
                    "--json", report)
    said = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]
    if done.returncode == 2:
        return 2, said, "", []
    result = json.loads(report.read_text())
    first = result["first_divergence"] or {}
    return (done.returncode, said, f"layer {first.get('layer')} {first.get('step')}",
            [cause["cause"] for cause in result.get("diagnosis") or []])


def check_traces(recipe, folder, devices):
    """Clean runs match and patched ones diverge, wherever captured and judged. Returns how many did not."""
    wrong = 0
    for device in devices:
        file = folder / "t.safetensors"
        for dtype in ["bf16", "fp16"]:
            transformers_trace(folder, PROMPTS[1], device, file, dtype)
            for judge_device in devices:
                status, said, *_ = judge(folder, file, judge_device)
                wrong += status != 0
                print(f"{recipe['name']}, {dtype}, captured on {device}, judged on {judge_device}: "
                      f"{'match' if status == 0 else said}")
        for fault, (step, source) in FAULTS.items():
            patch = folder / f"{fault}.py"
            patch.write_text(source)
            transformers_trace(folder, PROMPTS[1], device, file, patch=patch)
            for judge_device in devices:
                status, said, place, causes = judge(folder, file, judge_device)
                right = status == 1 and place == f"layer 1 {step}" and fault in causes
                wrong += not right
                print(f"{recipe['name']}, {fault} on {device}, judged on {judge_device}: "
                      f"{place}, {', '.join(causes)}" + ("" if right else f"  WRONG: {said}"))
    return wrong


def tensors_of(file):
    with safe_open(str(file), "pt") as opened:
        return {name: opened.get_tensor(name).float() for name in opened.keys()}, opened.metadata()


class Distance:
    """RMS error over everything that is added."""

    def __init__(self):
        self.squares, self.count = 0.0, 0

    def add(self, tensor, truth):
        self.squares += float(((tensor - truth).double() ** 2).sum())
        self.count += truth.numel()

    def rms(self):
        return math.sqrt(self.squares / self.count)


def check_noise(recipe, folder, device):
    """Prints the ratios of the CUDA reference's error to transformers'. Returns whether it is small enough."""
    ours, theirs, fused = {}, {}, {}
    for prompt in PROMPTS:
        files = [folder / f"{name}.safetensors" for name in ("truth", "ours", "theirs", "fused")]
        lockstep_trace(folder, prompt, "truth", "cpu", files[0])
        truth, metadata = tensors_of(files[0])
        forced = json.loads(metadata["decode_ids"])
        lockstep_trace(folder, prompt, "reference", device, files[1], forced=forced)
        lockstep_trace(folder, prompt, "fused", device, files[3], forced=forced)
        transformers_trace(folder, prompt, device, files[2], forced=forced)
        for file, sums in zip(files[1:], (ours, theirs, fused)):
            tensors, _ = tensors_of(file)
            for name, exact in truth.items():
                place = name.split(".", 2)[2]
                if (place.endswith("hidden") and place != "embed.hidden") or place == "logits":
                    sums.setdefault(place, Distance()).add(tensors[name], exact)
    good = True
    print(f"{recipe['name']} on {device}, bf16: RMS error over transformers' own, reference and fused")
    for place, distance in theirs.items():
        reference, own = (sums[place].rms() / distance.rms() for sums in (ours, fused))
        good = good and reference <= ALLOWED
        print(f"  {place:18} transformers {distance.rms():.3e}  reference {reference:.3f}  fused {own:.3f}")
    return good


def main():
    if not torch.cuda.is_available():
        print("SKIP   : no usable NVIDIA GPU")
        sys.exit(77)
    print(f"transformers {transformers.__version__}, torch {torch.__version__}, "
          f"{torch.cuda.get_device_name(0)}")
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        for recipe in RECIPES:
            folder = pathlib.Path(temporary) / recipe["name"]
            make_folder(recipe, folder)
            wrong += check_traces(recipe, folder, ["cpu", "cuda"])
            wrong += not check_noise(recipe, folder, "cuda")
    print("as it should be" if wrong == 0 else f"{wrong} are wrong")
    sys.exit(0 if wrong == 0 else 1)


if __name__ == "__main__":
    main()
