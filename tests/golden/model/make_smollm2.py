# SPDX-License-Identifier: GPL-3.0-or-later
"""smollm2.json and smollm2.bin: what transformers computes for SmolLM2-135M-Instruct (Q4_1 GGUF).

Run: python make_smollm2.py SmolLM2-135M-Instruct.Q4_1.gguf   (needs torch, transformers, gguf)

For every prompt: the templated ids and 64 greedy tokens in float32, with how far the second choice was
behind. For the first ten also, in float32, a sample of each layer's hidden (last rows, every 16th channel)
and of the last row's logits (the 50 largest and 200 others); and how far bfloat16 is from float32: over
whole tensors, for few elements tell little where one of them is ten thousand times as large as the others."""
import copy
import pathlib
import sys

import torch
import transformers
from golden_file import GoldenFile, run

FOLDER = pathlib.Path(__file__).parent
PROMPTS = [
    "Hello",
    "What is the capital of France?",
    "Write a haiku about the sea.",
    "Explain what a KV cache is in two sentences.",
    "def fibonacci(n):",
    "List three prime numbers greater than 100.",
    "Übersetze ins Deutsche: The weather is nice today.",
    "Why is the sky blue? Answer for a child of five, and keep it short. " * 3,
    "1, 1, 2, 3, 5, 8,",
    "Tell me a joke about compilers 😀",
    "What does `std::move` do in C++?",
    "Name the planets of the solar system in order.",
    "Summarise: A fused kernel computes several operations at once, so that intermediate results "
    "never travel to memory and back.",
    "Who wrote Don Quixote?",
    "Give me a recipe for pancakes.",
    "What is 17 times 23?",
    "Translate to French: I would like a cup of coffee.",
    "Describe a forest at night.",
    "How do I reverse a list in Python?",
    "Is a tomato a fruit or a vegetable?",
]
WITH_HIDDEN = 10
NEW_TOKENS = 64
CHANNEL_STEP, LAST_ROWS = 16, 4


def greedy(model, ids):
    """New ids, and the best logit's lead over the second at each."""
    past, feed, chosen, leads = None, torch.tensor([ids]), [], []
    for _ in range(NEW_TOKENS):
        out = model(input_ids=feed, past_key_values=past, use_cache=True)
        past, best = out.past_key_values, out.logits[0, -1].topk(2)
        chosen.append(int(best.indices[0]))
        leads.append(float(best.values[0] - best.values[1]))
        if chosen[-1] == model.config.eos_token_id:
            break
        feed = best.indices[:1][None]
    return chosen, leads


def error(rounded, exact):
    return (rounded.double() - exact.double()).abs()


def rms(errors):
    return errors.square().mean(-1).sqrt()


def sample_ids(logits):
    others = torch.arange(200) * (logits.numel() // 200)
    return torch.unique(torch.cat([logits.topk(50).indices, others]))


@torch.no_grad()
def main(path):
    path = pathlib.Path(path)
    load = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    tokenizer = transformers.AutoTokenizer.from_pretrained(**load)
    expand = transformers.GgufConfig(dequantize=True)  # plain float weights, not packed blocks
    exact = transformers.AutoModelForCausalLM.from_pretrained(
        **load, dtype=torch.float32, quantization_config=expand).eval()
    rounded = copy.deepcopy(exact).bfloat16()
    assert type(exact.model.layers[0].mlp.up_proj) is torch.nn.Linear
    golden, prompts = GoldenFile(), []
    for index, text in enumerate(PROMPTS):
        messages = [{"role": "user", "content": text}]
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        templated = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        chosen, leads = greedy(exact, ids)
        entry = {"text": text, "templated": templated, "ids": ids, "greedy": chosen,
                 "leads": [round(lead, 6) for lead in leads]}
        if index < WITH_HIDDEN:
            exact_hidden, exact_logits = run(exact, ids)
            rounded_hidden, rounded_logits = run(rounded, ids)
            picked = sample_ids(exact_logits[-1])
            entry |= {
                "logits_ids": golden.add(picked),
                "logits_f32": golden.add(exact_logits[-1][picked]),
                "hidden_f32": golden.add(exact_hidden[:, -LAST_ROWS:, ::CHANNEL_STEP]),
                "bf16_hidden_rms": golden.add(rms(error(rounded_hidden, exact_hidden))),  # [L + 1, T]
                "bf16_hidden_max": golden.add(error(rounded_hidden, exact_hidden).amax((1, 2))),
                "bf16_logits_rms": golden.add(rms(error(rounded_logits, exact_logits))),  # [T]
                "bf16_logits_max": golden.add(error(rounded_logits, exact_logits).amax()[None]),
            }
        prompts.append(entry)
        print(index, repr(tokenizer.decode(chosen)), min(leads), flush=True)
    golden.write(FOLDER / "smollm2", {
        "made_with": f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}, CPU",
        "attention": exact.config._attn_implementation, "model": path.name,
        "channel_step": CHANNEL_STEP, "last_rows": LAST_ROWS, "prompts": prompts,
    })


main(sys.argv[1])
