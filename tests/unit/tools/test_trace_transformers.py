# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/trace_transformers.py sees what a model's layers do, whoever computes it, and changes nothing.
Skipped where torch or transformers is not installed."""
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))
try:
    import torch
    import transformers
    from safetensors.torch import load_file

    import trace_transformers
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

PROMPT = [3, 14, 15, 92, 65, 35]


def make_model(family="Qwen2", attention="sdpa"):
    torch.manual_seed(1)
    config = getattr(transformers, family + "Config")(
        hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=6,
        num_key_value_heads=2, vocab_size=101, max_position_embeddings=64)
    config._attn_implementation = attention
    return getattr(transformers, family + "ForCausalLM")(config).eval()


def fused(attention, index):
    """A layer's attention that calls no module but o_proj: norm, products, rotation in one."""
    def forward(hidden_states, position_embeddings=None, past_key_values=None, **_):
        def heads(projection):
            made = torch.nn.functional.linear(hidden_states, projection.weight, projection.bias)
            return made.view(*made.shape[:-1], -1, attention.head_dim).transpose(1, 2)

        def rotate(x):
            left, right = x.chunk(2, -1)
            cos, sin = (table.unsqueeze(1) for table in position_embeddings)
            return x * cos + torch.cat((-right, left), -1) * sin

        q, k, v = heads(attention.q_proj), heads(attention.k_proj), heads(attention.v_proj)
        q, k = rotate(q), rotate(k)
        k, v = past_key_values.update(k, v, index)
        group = q.shape[1] // k.shape[1]
        out = torch.nn.functional.scaled_dot_product_attention(
            q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1), is_causal=q.shape[2] > 1)
        out = out.transpose(1, 2).reshape(*hidden_states.shape[:-1], -1)
        return attention.o_proj(out), None

    return forward


class TraceTransformers(unittest.TestCase):
    def trace(self, model, **options):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "t.safetensors"
            missing = trace_transformers.trace(model, PROMPT, file, decode_steps=2, **options)
            self.assertEqual([p.name for p in pathlib.Path(folder).iterdir()], ["t.safetensors"])
            return missing, load_file(file)

    def test_every_tensor_in_its_shape(self):
        for family in ["Qwen2", "Llama"]:
            for attention in ["eager", "sdpa"]:
                missing, tensors = self.trace(make_model(family, attention))
                self.assertEqual(missing, {})
                self.assertEqual(len(tensors), 3 * (1 + 2 * 11 + 2))
                shapes = {"q": (6, 6, 8), "k": (6, 2, 8), "v": (6, 2, 8), "attn": (6, 48), "mlp": (6, 80),
                          "hidden": (6, 48), "hidden_attn": (6, 48), "q_pre_rope": (6, 6, 8)}
                for name, shape in shapes.items():
                    self.assertEqual(tuple(tensors[f"pass.0.layers.1.{name}"].shape), shape)
                    self.assertEqual(tuple(tensors[f"pass.2.layers.1.{name}"].shape), (1, *shape[1:]))

    def test_the_model_says_the_same_while_it_is_seen_and_is_left_as_it_was(self):
        for attention in ["eager", "sdpa"]:
            model = make_model(attention=attention)
            ids = torch.tensor([PROMPT])
            with torch.no_grad():
                before = model(input_ids=ids).logits[0]
            sdpa = torch.nn.functional.scaled_dot_product_attention
            _, tensors = self.trace(model)
            self.assertTrue(torch.equal(tensors["pass.0.logits"], before))
            with torch.no_grad():
                self.assertTrue(torch.equal(model(input_ids=ids).logits[0], before))
            self.assertIs(torch.nn.functional.scaled_dot_product_attention, sdpa)
            hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
            self.assertEqual(hooks, 0)

    def test_a_decode_step_is_what_the_whole_would_have_been(self):
        model = make_model()
        _, tensors = self.trace(model, decode_ids=[7, 8])
        with tempfile.TemporaryDirectory() as folder:
            trace_transformers.trace(model, PROMPT + [7, 8], folder + "/t")
            whole = load_file(folder + "/t")
        for name in ["q", "k", "v", "attn", "hidden"]:
            last = whole[f"pass.0.layers.1.{name}"][-1:]
            torch.testing.assert_close(tensors[f"pass.2.layers.1.{name}"], last, atol=1e-5, rtol=1e-4)

    def test_layers_with_kernels_of_their_own_are_seen(self):
        model, same = make_model(), make_model()
        for index, layer in enumerate(model.model.layers):
            layer.self_attn.forward = fused(layer.self_attn, index)
        missing, tensors = self.trace(model)
        self.assertEqual(missing, {})
        self.assertNotIn("pass.0.layers.0.q_pre_rope", tensors)
        _, expected = self.trace(same)
        for name in ["q", "k", "v", "attn"]:
            torch.testing.assert_close(tensors[f"pass.0.layers.1.{name}"],
                                       expected[f"pass.0.layers.1.{name}"], atol=1e-5, rtol=1e-4)

    def test_a_norm_that_passes_its_input_on_is_not_one(self):
        model = make_model()
        model.model.layers[0].input_layernorm = torch.nn.Identity()
        _, tensors = self.trace(model)
        self.assertNotIn("pass.0.layers.0.normed", tensors)
        self.assertIn("pass.0.layers.1.normed", tensors)

    def test_what_is_not_seen_is_said_and_can_be_given(self):
        model = make_model()

        def silent(given):
            def forward(x):
                inner = torch.nn.functional.silu(x @ mlp.gate_proj.weight.T) * (x @ mlp.up_proj.weight.T)
                if given:
                    trace_transformers.tap("mlp", inner)
                return inner @ mlp.down_proj.weight.T

            return forward

        mlp = model.model.layers[1].mlp
        mlp.forward = silent(False)
        self.assertEqual(self.trace(model)[0], {"mlp": [1]})
        mlp.forward = silent(True)
        missing, tensors = self.trace(model)
        self.assertEqual(missing, {})
        self.assertEqual(tuple(tensors["pass.0.layers.1.mlp"].shape), (6, 80))
        trace_transformers.tap("mlp", torch.zeros(1))  # no trace is made: nothing happens

    def test_nothing_is_left_of_a_file_that_can_not_be_written(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "out").mkdir()
            with self.assertRaises(OSError):
                trace_transformers.trace(make_model(), PROMPT, folder + "/out")
            self.assertEqual([p.name for p in pathlib.Path(folder).iterdir()], ["out"])


if __name__ == "__main__":
    unittest.main()
