#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what every step of a transformers model puts out, for `lockstep compare --candidate trace:F`.

    python trace_transformers.py --model FOLDER --prompt Hello --decode 4 --out hello.safetensors
    lockstep compare --model FOLDER --candidate trace:hello.safetensors

For Qwen2 and Llama models, as they are or with kernels of your own in their layers:

    python trace_transformers.py --model FOLDER --patch my_kernels.py:install --out mine.safetensors

calls install(model) after loading; what it returns, if anything, is the model from then on. From a
program that has its model already:

    from trace_transformers import trace
    trace(model, prompt_ids, "mine.safetensors", decode_steps=4, path="my kernels")

Tensors are taken by forward hooks, at the cache and at the attention function, so a layer may compute
them as it likes. What it never hands to any of those is missing from the file, and listed; code that
has such a tensor at hand can give it: `trace_transformers.tap("q", q)` inside a layer's forward, [tokens,
heads, head_dim] or with a batch of one in front; in the shape that the file has it in, see
docs/trace-format.md."""
import argparse
import contextlib
import importlib.util
import json
import os
import pathlib
import sys

import torch

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
ALL_LOGITS_BYTES = 96 << 20  # in float32; where all rows take more, the last one's are kept

_active = None  # the recorder of the run that is going on


def tap(name, tensor):
    """Records a tensor of the layer that is running; nothing where no trace is made."""
    if _active is not None and _active.layer is not None:
        _active.keep_in_layer(_active.layer, name, tensor)


class Recorder:
    """The tensors of all passes, by their names in the file."""

    def __init__(self, config):
        heads = config.num_attention_heads
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
        kv_heads = getattr(config, "num_key_value_heads", None) or heads
        self.by_heads = {"q": (heads, head_dim), "q_pre_rope": (heads, head_dim),
                         "k": (kv_heads, head_dim), "k_pre_rope": (kv_heads, head_dim),
                         "v": (kv_heads, head_dim)}
        self.tensors = {}
        self.pass_number = 0
        self.layer = None

    def keep(self, name, tensor):
        # A copy: what follows may overwrite the tensor, or it may be a view of something larger.
        self.tensors[f"pass.{self.pass_number}.{name}"] = tensor.detach().to("cpu", copy=True).contiguous()

    def keep_in_layer(self, layer, name, tensor):
        """[T, ...] or [1, T, ...]; heads may be a dimension of their own."""
        shape = self.by_heads.get(name)
        width = tensor.shape[-1] if shape is None else shape[0] * shape[1]
        rows = tensor.numel() // width
        # A view where the strides allow one, else a copy: either way the values in logical order.
        self.keep(f"layers.{layer}.{name}", tensor.reshape(rows, *(shape or (width,))))

    def keep_heads_first(self, layer, name, tensor):
        """[1, heads, T, head_dim], as attention functions and caches take it."""
        self.keep_in_layer(layer, name, tensor.transpose(1, 2))


def first_tensor(value):
    return value[0] if isinstance(value, (tuple, list)) else value


def only_tensor(arguments):
    """The argument of a module that is called with one tensor; None for any other call."""
    tensors = [a for a in arguments if isinstance(a, torch.Tensor)]
    return tensors[0] if len(tensors) == 1 else None


class Hooks:
    """Everything that is attached to a model for the time of a trace, and taken off again."""

    def __init__(self, model, recorder):
        self.recorder = recorder
        self.undo = []
        body = model.model
        self.after(body.embed_tokens, lambda out: recorder.keep("embed.hidden", first_tensor(out)[0]))
        self.after(body.norm, lambda out: self.logits_norm(first_tensor(out)[0]))
        for index, layer in enumerate(body.layers):
            self.hook_layer(index, layer)
        self.hook_attention_functions(body.layers[0].self_attn)

    def remove(self):
        for undo in reversed(self.undo):
            undo()

    def logits_norm(self, normed):
        self.recorder.final_norm = normed

    def after(self, module, keep):
        handle = module.register_forward_hook(lambda _, __, output: keep(output))
        self.undo.append(handle.remove)

    def after_norm(self, module, keep):
        """A norm whose work somebody moved into another kernel passes its input on: not recorded."""
        def hook(_, arguments, output):
            given, made = only_tensor(arguments), first_tensor(output)
            if given is None or given.data_ptr() != made.data_ptr():
                keep(output)

        self.undo.append(module.register_forward_hook(hook).remove)

    def before(self, module, keep):
        def hook(_, arguments):
            tensor = only_tensor(arguments)
            if tensor is not None:
                keep(tensor)

        self.undo.append(module.register_forward_pre_hook(hook).remove)

    def hook_layer(self, index, layer):
        recorder = self.recorder

        def keep(name):
            return lambda value: recorder.keep_in_layer(index, name, first_tensor(value))

        def enter(*_):
            recorder.layer = index

        self.undo.append(layer.register_forward_pre_hook(enter).remove)
        self.after(layer, keep("hidden"))
        attention, mlp = layer.self_attn, layer.mlp
        for parent, name, place, what in [
            (layer, "input_layernorm", self.after_norm, "normed"),
            (layer, "post_attention_layernorm", self.before, "hidden_attn"),
            (layer, "post_attention_layernorm", self.after_norm, "normed_attn"),
            (attention, "q_proj", self.after, "q_pre_rope"),
            (attention, "k_proj", self.after, "k_pre_rope"),
            (attention, "v_proj", self.after, "v"),
            (attention, "o_proj", self.before, "attn"),
            (mlp, "down_proj", self.before, "mlp"),
        ]:
            module = getattr(parent, name, None)
            if isinstance(module, torch.nn.Module):
                place(module, keep(what))

    def replace(self, owner, name, value, is_item=False):
        """owner.name or owner[name] becomes value, until remove()."""
        if is_item:
            old = owner[name]
            owner[name] = value
            self.undo.append(lambda: owner.__setitem__(name, old))
        else:
            old = getattr(owner, name)
            setattr(owner, name, value)
            self.undo.append(lambda: setattr(owner, name, old))

    def hook_attention_functions(self, attention):
        """q after RoPE is nobody's output. It is given to the attention function, and comes out of
        apply_rotary_pos_emb; which of them a layer calls depends on its version and on what it is
        set to. Both are wrapped wherever the layer's classes look them up, and PyTorch's own attention
        for layers that call that; what is called last has the last word."""
        self.replace(torch.nn.functional, "scaled_dot_product_attention",
                     self.watch_sdpa(torch.nn.functional.scaled_dot_product_attention))
        modules = {sys.modules.get(cls.__module__) for cls in type(attention).__mro__}
        for module in modules - {None}:
            if hasattr(module, "apply_rotary_pos_emb"):
                self.replace(module, "apply_rotary_pos_emb", self.watch_rope(module.apply_rotary_pos_emb))
            if hasattr(module, "eager_attention_forward"):
                self.replace(module, "eager_attention_forward",
                             self.watch_attention(module.eager_attention_forward))
        try:
            from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS as functions
        except ImportError:
            return  # versions without it rotate through apply_rotary_pos_emb
        implementation = getattr(attention.config, "_attn_implementation", None)
        if implementation in functions:
            self.replace(functions, implementation, self.watch_attention(functions[implementation]),
                         is_item=True)

    def keep_query(self, query):
        if self.recorder.layer is not None:
            self.recorder.keep_heads_first(self.recorder.layer, "q", query)

    def watch_rope(self, rotate):
        def watched(q, k, *args, **kwargs):
            rotated = rotate(q, k, *args, **kwargs)
            self.keep_query(rotated[0])
            return rotated

        return watched

    def watch_sdpa(self, attend):
        heads, head_dim = self.recorder.by_heads["q"]

        def watched(query, *args, **kwargs):
            if query.dim() == 4 and query.shape[:2] == (1, heads) and query.shape[3] == head_dim:
                self.keep_query(query)
            return attend(query, *args, **kwargs)

        return watched

    def watch_attention(self, attend):
        def watched(module, query, *args, **kwargs):
            self.keep_query(query)
            return attend(module, query, *args, **kwargs)

        return watched


def make_cache(config, recorder):
    """A cache that keeps each row it is given, k after RoPE and v, on its way into the real one."""
    from transformers import DynamicCache

    class WatchedCache(DynamicCache):
        def update(self, key_states, value_states, layer_idx, *args, **kwargs):
            recorder.keep_heads_first(layer_idx, "k", key_states)
            recorder.keep_heads_first(layer_idx, "v", value_states)
            return super().update(key_states, value_states, layer_idx, *args, **kwargs)

    try:
        return WatchedCache(config=config)
    except TypeError:
        return WatchedCache()


def missing_names(tensors, layers, passes):
    """Of what every path has; folded over layers and passes."""
    lacking = {}
    for number in range(passes):
        for name in ["embed.hidden", "logits"]:
            if f"pass.{number}.{name}" not in tensors:
                lacking.setdefault(name, set()).add("")
        for layer in range(layers):
            for name in ["q", "k", "v", "attn", "hidden_attn", "mlp", "hidden"]:
                if f"pass.{number}.layers.{layer}.{name}" not in tensors:
                    lacking.setdefault(name, set()).add(layer)
    return {name: sorted(where) for name, where in lacking.items()}


@contextlib.contextmanager
def recording(model, recorder):
    global _active
    hooks = Hooks(model, recorder)
    _active = recorder
    try:
        yield
    finally:
        _active = None
        hooks.remove()


@torch.no_grad()
def run_passes(model, recorder, prompt_ids, decode_steps, decode_ids):
    """Returns the ids that the decode steps were fed."""
    device = model.model.embed_tokens.weight.device
    cache = make_cache(model.config, recorder)
    fed, batch = [], list(prompt_ids)
    for number in range(decode_steps + 1):
        recorder.pass_number, recorder.layer, recorder.final_norm = number, None, None
        ids = torch.tensor([batch], dtype=torch.long, device=device)
        logits = model(input_ids=ids, past_key_values=cache, use_cache=True).logits[0]
        if logits.shape[0] * logits.shape[1] * 4 > ALL_LOGITS_BYTES:
            logits = logits[-1:]
        recorder.keep("logits", logits)
        if recorder.final_norm is not None:
            recorder.keep("normed", recorder.final_norm[-logits.shape[0]:])
        if number < decode_steps:
            fed.append(decode_ids[number] if decode_ids else int(logits[-1].argmax()))
            batch = fed[-1:]
    return fed


def dtype_name(model):
    dtype = model.model.layers[0].self_attn.o_proj.weight.dtype
    for name, each in DTYPES.items():
        if each == dtype:
            return name
    raise ValueError(f"the model computes in {dtype}; a trace is of bf16, fp16 or fp32")


def trace(model, prompt_ids, out, decode_steps=0, decode_ids=None, name="", path=""):
    """Runs the prompt and the decode steps through `model` (eval mode, batch of one) and writes `out`.
    decode_ids: what the decode steps are fed; without it the model's own greedy choices.
    Returns {tap: layers} of what was not seen. name: the model's, as Lockstep calls it; may be empty."""
    from safetensors.torch import save_file

    if not prompt_ids:
        raise ValueError("the prompt has no tokens")
    if decode_ids and len(decode_ids) != decode_steps:
        raise ValueError(f"{decode_steps} decode steps can't be fed {len(decode_ids)} ids")
    recorder = Recorder(model.config)
    with recording(model, recorder):
        fed = run_passes(model, recorder, prompt_ids, decode_steps, decode_ids)
    metadata = {"prompt_ids": json.dumps(list(prompt_ids)), "decode_ids": json.dumps(fed),
                "dtype": dtype_name(model),
                "path": path or f"transformers {getattr(model.config, '_attn_implementation', '')}".strip()}
    if name:
        metadata["model"] = name
    part = f"{out}.{os.getpid()}.part"
    try:
        open(part, "xb").close()
        mode = os.stat(part).st_mode & 0o777  # as the user's umask has it; save_file makes its own
        save_file(recorder.tensors, part, metadata=metadata)
        os.chmod(part, mode)
        os.replace(part, out)
    finally:
        if os.path.exists(part):
            os.unlink(part)
    return missing_names(recorder.tensors, len(model.model.layers), decode_steps + 1)


def load_model(options):
    from transformers import AutoModelForCausalLM

    settings = {"attn_implementation": options.attention}
    if options.gguf_file:
        settings["gguf_file"] = options.gguf_file
    dtype = DTYPES[options.dtype]
    try:
        model = AutoModelForCausalLM.from_pretrained(options.model, dtype=dtype, **settings)
    except TypeError:  # before transformers 4.56
        model = AutoModelForCausalLM.from_pretrained(options.model, torch_dtype=dtype, **settings)
    if model.config.model_type not in ("qwen2", "llama"):
        raise SystemExit(f"{options.model} is a {model.config.model_type} model; a trace is of qwen2 or llama")
    return model.to(options.device).eval()


def patched(model, patch):
    """patch: FILE.py:FUNCTION."""
    file, _, function = patch.rpartition(":")
    if not file:
        raise SystemExit(f"--patch takes FILE.py:FUNCTION, not {patch}")
    spec = importlib.util.spec_from_file_location(pathlib.Path(file).stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return getattr(module, function)(model) or model


def prompt_ids_of(options):
    if options.prompt_ids is not None:
        return options.prompt_ids
    from transformers import AutoTokenizer

    settings = {"gguf_file": options.gguf_file} if options.gguf_file else {}
    tokenizer = AutoTokenizer.from_pretrained(options.model, **settings)
    if not options.chat:
        return tokenizer(options.prompt)["input_ids"]
    messages = [{"role": "user", "content": options.prompt}]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def id_list(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a folder, or a name that transformers knows")
    parser.add_argument("--gguf-file", help="of that folder, for a GGUF model")
    parser.add_argument("--out", required=True, help="the file to write")
    parser.add_argument("--prompt", default="Hello", help="raw text (default Hello)")
    parser.add_argument("--prompt-ids", type=id_list, metavar="LIST", help="token ids instead: 1,2,3")
    parser.add_argument("--chat", action="store_true", help="put the prompt through the chat template")
    parser.add_argument("--decode", type=int, metavar="N",
                        help="decode steps after the prompt, each fed the model's own greedy choice")
    parser.add_argument("--decode-ids", type=id_list, metavar="LIST", help="feed the decode steps these instead")
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, ...")
    parser.add_argument("--attention", default="sdpa", help="eager, sdpa (default), flash_attention_2, ...")
    parser.add_argument("--patch", metavar="FILE.py:FUNCTION", help="called with the model: puts your kernels in")
    parser.add_argument("--path", default="", help="what the file calls this way of computing")
    options = parser.parse_args()
    forced = options.decode_ids or []
    steps = options.decode if options.decode is not None else len(forced)
    if steps < 0 or (forced and steps != len(forced)):
        parser.error("--decode and --decode-ids disagree: leave one of them out")
    model = load_model(options)
    path = options.path
    if options.patch:
        model = patched(model, options.patch)
        path = path or f"transformers {options.attention} with {options.patch}"
    name = pathlib.Path(options.gguf_file or os.path.abspath(options.model)
                        if os.path.exists(options.model) else options.model).name
    missing = trace(model, prompt_ids_of(options), options.out, steps, forced, name, path)
    for tensor, layers in missing.items():
        every = layers == list(range(len(model.model.layers)))
        where = " of every layer" if every else f" of layers {', '.join(map(str, layers))}"
        where = "" if layers == [""] else where
        print(f"not seen: {tensor}{where}", file=sys.stderr)


if __name__ == "__main__":
    main()
