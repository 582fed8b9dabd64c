# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tokenizers and sentencepiece packages make of the golden texts.

    python make_goldens.py                      writes <kind>.golden of the fixtures beside this file
    python make_goldens.py smollm2=SmolLM2.gguf qwen2.5=Qwen2.5.gguf phi-3=phi-3-vocab.gguf
                                                and of real models' vocabularies
    python make_goldens.py --show llama3 17     prints what is expected of text 17

The golden of sentencepiece_unigram is made with sentencepiece 0.1.99 (python make_goldens.py sentencepiece_unigram):
of equally likely ways to cut a text, 0.2 takes another than Debian's 0.1.97 does. The others are the same with both.

A golden has one line for each text: FNV-1a hashes, in hexadecimal, of the ids (of the text without control
tokens and without BOS, and of the text with both) and of the bytes that the latter decode to (control tokens
left out, and shown). Every 50th line, where it is short, ends with the ids themselves.
"""

import json
import pathlib
import struct
import sys

import gguf
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from golden_texts import golden_text
from make_fixtures import LLAMA3, QWEN2

HERE = pathlib.Path(__file__).parent
COUNT = 3000
IDS_EVERY = 50
FIXTURES = ["gpt2", "smollm", "qwen2", "llama3", "llama2", "llama2_metaspace", "mixed", "sentencepiece_bpe",
            "sentencepiece_unigram"]


def fnv1a(data):
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


class Tokenizers:
    """Hugging Face's tokenizers. `specials` are what golden texts are sprinkled with."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.specials = [token.content for _, token in sorted(tokenizer.get_added_tokens_decoder().items())]

    def encode(self, text, control):
        self.tokenizer.encode_special_tokens = not control
        return self.tokenizer.encode(text.decode("utf-8", "replace"), add_special_tokens=control).ids

    def decode(self, ids, show_control):
        return self.tokenizer.decode(ids, skip_special_tokens=not show_control).encode()


class SentencePiece:
    """The sentencepiece package, control tokens cut out of the text before it sees it."""

    def __init__(self, proto, add_bos=True):
        self.processor = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
        types = sentencepiece_model_pb2.ModelProto.SentencePiece.Type
        self.control = {piece.piece.encode(): i for i, piece in enumerate(proto.pieces) if piece.type == types.CONTROL}
        self.specials = [piece.piece for piece in proto.pieces if piece.type in (types.CONTROL, types.USER_DEFINED)]
        self.prefix = [self.processor.bos_id()] if add_bos else []

    def encode(self, text, control):
        if not control:
            return self.processor.encode(text)
        ids = list(self.prefix)
        rest = text
        while rest:
            found = min((at, -len(token), token) for token in [*self.control, b""]
                        for at in [rest.find(token) if token else len(rest)] if at >= 0)
            if found[0]:
                ids += self.processor.encode(rest[: found[0]])
            if found[2]:
                ids.append(self.control[found[2]])
            rest = rest[found[0] + len(found[2]):]
        return ids

    def decode(self, ids, show_control):
        # The package never shows control tokens: there is nothing to compare with.
        return self.processor.decode(ids).encode() if not show_control else b""


def fields(path):
    reader = gguf.GGUFReader(path)
    prefix = "tokenizer.ggml."
    return {name[len(prefix):]: field.contents() for name, field in reader.fields.items() if name.startswith(prefix)}


def gguf_bpe(data):
    vocab = {token: i for i, token in enumerate(data["tokens"])}
    merges = [tuple(merge.split(" ")) for merge in data["merges"]]
    llama3 = data["pre"] == "llama-bpe"
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=llama3))
    tokenizer.decoder = decoders.ByteLevel()
    if data["pre"] == "smollm":
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    elif data["pre"] in ("qwen2", "llama-bpe"):
        if not llama3:
            tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(LLAMA3 if llama3 else QWEN2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    else:
        raise SystemExit(f"no pre-tokenizer for {data['pre']!r}")
    for token, kind in zip(data["tokens"], data["token_type"]):
        if kind in (3, 4):
            added = AddedToken(token, normalized=False, special=kind == 3)
            (tokenizer.add_special_tokens if kind == 3 else tokenizer.add_tokens)([added])
    if data.get("add_bos_token"):
        bos = data["bos_token_id"]
        name = data["tokens"][bos]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{name} $A", pair=f"{name} $A $B", special_tokens=[(name, bos)])
    return Tokenizers(tokenizer)


def gguf_sentencepiece(data):
    proto = sentencepiece_model_pb2.ModelProto()
    types = proto.SentencePiece.Type
    for i, (piece, score, kind) in enumerate(zip(data["tokens"], data["scores"], data["token_type"])):
        # Converters call padding "unknown"; a model has one unknown.
        if i == data["unknown_token_id"]:
            kind = types.UNKNOWN
        elif kind == types.UNKNOWN:
            kind = types.UNUSED
        proto.pieces.add(piece=piece, score=score, type=kind)
    proto.trainer_spec.model_type = proto.trainer_spec.BPE
    proto.trainer_spec.byte_fallback = True
    proto.normalizer_spec.name = "identity"
    proto.normalizer_spec.add_dummy_prefix = data.get("add_space_prefix", True)
    proto.normalizer_spec.remove_extra_whitespaces = False
    return SentencePiece(proto, data.get("add_bos_token", True))


def open_tokenizer(kind, path):
    if path:
        data = fields(path)
        return gguf_sentencepiece(data) if data["model"] == "llama" else gguf_bpe(data)
    if kind.startswith("sentencepiece"):
        model = (HERE / kind / "tokenizer.model").read_bytes()
        return SentencePiece(sentencepiece_model_pb2.ModelProto.FromString(model))
    return Tokenizers(Tokenizer.from_file(str(HERE / kind / "tokenizer.json")))


def expectation(tokenizer, seed):
    text = golden_text(seed, tokenizer.specials)
    plain, control = tokenizer.encode(text, False), tokenizer.encode(text, True)
    return text, plain, control, tokenizer.decode(control, False), tokenizer.decode(control, True)


def golden_line(tokenizer, seed):
    _, plain, control, hidden, shown = expectation(tokenizer, seed)
    pack = lambda ids: struct.pack(f"<{len(ids)}i", *ids)
    line = f"{fnv1a(pack(plain) + pack([-1]) + pack(control)):08x} {fnv1a(hidden + bytes([0xFF]) + shown):08x}"
    if seed % IDS_EVERY == 0 and len(control) <= 100:
        line += " " + ",".join(map(str, control))
    return line + "\n"


def show(kind, seed, path):
    tokenizer = open_tokenizer(kind, path)
    text, plain, control, hidden, shown = expectation(tokenizer, seed)
    print("text", text[:2000])
    print("ids", plain)
    print("ids with control tokens", control)
    print("decoded", hidden, "\nwith control tokens", shown)


def main():
    if sys.argv[1:2] == ["--show"]:
        return show(sys.argv[2], int(sys.argv[3]), (sys.argv[4:5] or [None])[0])
    named = [(argument.split("=", 1) + [None])[:2] for argument in sys.argv[1:]]
    for kind, path in named or [(kind, None) for kind in FIXTURES]:
        tokenizer = open_tokenizer(kind, path)
        lines = [json.dumps(tokenizer.specials, ensure_ascii=True) + "\n"]
        lines += [golden_line(tokenizer, seed) for seed in range(COUNT)]
        (HERE / f"{kind}.golden").write_text("".join(lines))
        print(kind, len(lines) - 1, "texts")


if __name__ == "__main__":
    main()
