# SPDX-License-Identifier: GPL-3.0-or-later
"""Small tokenizers of every kind that Lockstep reads, trained on the golden texts: tests run without a
model. Written once; retraining gives other vocabularies, so make_goldens.py must follow.

    pip install tokenizers==0.23.3 sentencepiece==0.2.3 protobuf
    python make_fixtures.py
"""

import io
import json
import pathlib

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from golden_texts import golden_text

HERE = pathlib.Path(__file__).parent

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")

PROSE = """A tokenizer cuts a text into pieces that a model has numbers for. The quick brown fox jumps over the lazy
dog; it's said that she'll have been there, and we've seen what they're doing. Zwölf Boxkämpfer jagen Viktor quer über
den großen Sylter Deich. Portez ce vieux whisky au juge blond qui fume. Съешь же ещё этих мягких французских булок.
你好，世界。こんにちは世界。안녕하세요 세계. مرحبا بالعالم. नमस्ते दुनिया. for (int i = 0; i < n; ++i) { total += values[i]; }
def encode(text): return [vocabulary[piece] for piece in split(text)]  # 12345 67890 3.14159 1,000,000
"""


def corpus(seed, count, prose=20):
    yield from PROSE.split("\n") * prose
    for i in range(count):
        yield golden_text(seed + i * 500, ["<|end|>"]).decode("utf-8", "replace")


def train(tokenizer, size, alphabet=(), specials=()):
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=list(alphabet), special_tokens=list(specials),
                                  limit_alphabet=300, show_progress=False)
    tokenizer.train_from_iterator(corpus(1_000_000, 600), trainer)
    return tokenizer


def save(name, tokenizer, string_merges=False, **beside):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    description = json.loads(tokenizer.to_str())
    if string_merges:
        description["model"]["merges"] = [" ".join(pair) for pair in description["model"]["merges"]]
    text = json.dumps(description, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    Tokenizer.from_str(text)
    for file, content in beside.items():
        (folder / (file + ".json")).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def byte_level(pre_tokenizer, size, missing=(), normalizer=None):
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    train(tokenizer, size, alphabet)
    if missing:
        # As in SmolLM2, whose vocabulary leaves out bytes that its corpus had not.
        description = json.loads(tokenizer.to_str())
        model = description["model"]
        gone = set(missing)
        model["merges"] = [pair for pair in model["merges"] if not gone & set("".join(pair))]
        kept = [token for token in model["vocab"] if not gone & set(token)]
        model["vocab"] = {token: i for i, token in enumerate(kept)}
        tokenizer = Tokenizer.from_str(json.dumps(description))
    return tokenizer


def gpt2():
    tokenizer = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True), 600)
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.add_tokens([
        AddedToken("<word>", single_word=True, normalized=False),
        AddedToken("<left>", lstrip=True, normalized=False),
        AddedToken("<right>", rstrip=True, normalized=False),
        AddedToken("<both>", lstrip=True, rstrip=True),
        AddedToken("    ", normalized=False),
        AddedToken("  ", normalized=False),
        AddedToken("größe", single_word=True),
    ])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    save("gpt2", tokenizer, string_merges=True)


def smollm():
    pre = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                   pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer = byte_level(pre, 600, missing="ĀāĂ")
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>"])
    save("smollm", tokenizer)


def qwen2():
    pre = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"),
                                   pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer = byte_level(pre, 600, normalizer=normalizers.NFC())
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken("<tool_call>", normalized=False), AddedToken("</tool_call>", normalized=False),
                          AddedToken("nai\u0308ve", normalized=True)])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    save("qwen2", tokenizer)


def llama3():
    pre = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                   pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer = byte_level(pre, 560)
    description = json.loads(tokenizer.to_str())
    vocab = description["model"]["vocab"]
    # Tokens that no merge leads to: with ignore_merges they are found all the same.
    for token in ["Ġworld", "Hello", "123", "ä½łå¥½", "ĊĊĊ", "Ġreturn", "'ll"]:
        vocab.setdefault(token, len(vocab))
    description["model"]["ignore_merges"] = True
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
                                  "<|eot_id|>"] + [f"<|reserved_special_token_{i}|>" for i in range(12)])
    begin = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|> $B",
                                      special_tokens=[("<|begin_of_text|>", begin)])])
    save("llama3", tokenizer)


def llama2(name, normalizer, pre_tokenizer, decoder):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
    tokenizer.decoder = decoder
    train(tokenizer, 700, specials=["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)])
    if not pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([])
    description = json.loads(tokenizer.to_str())
    if not pre_tokenizer:
        description["pre_tokenizer"] = None
    description["added_tokens"] = [token for token in description["added_tokens"] if token["id"] < 3]
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.add_tokens([AddedToken("<|user|>", special=True, normalized=False, rstrip=True),
                          AddedToken("<tool>", normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    save(name, tokenizer)


def mixed():
    """What other tokenizer.json files are made of: every way to split, unknown characters, several steps."""
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"[\r\n]"), "isolated"),
        pre_tokenizers.Split(Regex(r"\s?[!-/:-~\u2018-\u201f\u3000-\u3002]+"), "isolated"),
        pre_tokenizers.Split(Regex(r"[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"), "isolated"),
        pre_tokenizers.Split(Regex(r"\s+$"), "contiguous"),
        pre_tokenizers.Split(Regex(r"\w+|[^\w\s]+"), "contiguous", invert=True),
        pre_tokenizers.Split(".", "merged_with_previous"),
        pre_tokenizers.Split("(", "merged_with_next"),
        pre_tokenizers.Split("\t", "removed"),
        pre_tokenizers.Digits(individual_digits=False),
    ])
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("``", '"'),
                                                 normalizers.Replace(Regex(r" {3,}"), "  ")])
    tokenizer.pre_tokenizer = pre
    train(tokenizer, 500, specials=["<unk>", "<s>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    save("mixed", tokenizer)


def sentencepiece_model(name, **options):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    model = io.BytesIO()
    sentences = iter([line.replace("\x00", "") for line in corpus(2_000_000, 40, prose=300)])
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=sentences, model_writer=model, character_coverage=0.99, num_threads=1,
        max_sentence_length=100_000, hard_vocab_limit=False, minloglevel=2, **options)
    # What training remembers of itself is of no use here.
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    proto.trainer_spec.ClearField("input")
    (folder / "tokenizer.model").write_bytes(proto.SerializeToString())


def main():
    gpt2()
    smollm()
    qwen2()
    llama3()
    decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                                 decoders.Strip(" ", 1, 0)])
    llama2("llama2", normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]), None,
           decoder)
    llama2("llama2_metaspace", None, pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="first", split=False),
           decoder)
    mixed()
    sentencepiece_model("sentencepiece_bpe", model_type="bpe", vocab_size=1200, byte_fallback=True,
                        normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
                        user_defined_symbols=["<tool>", "  ", "\u2581\u2581\u2581"], control_symbols=["<|user|>", "<|end|>"],
                        allow_whitespace_only_pieces=True)
    sentencepiece_model("sentencepiece_unigram", model_type="unigram", vocab_size=1000, byte_fallback=False,
                        normalization_rule_name="nmt_nfkc", control_symbols=["<|user|>"], user_defined_symbols=["<tool>"])


if __name__ == "__main__":
    main()
