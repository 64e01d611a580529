"""Ids and texts of Python's tokenizers for small constructed tokenizer.json files, one for each part that there is.

    python scripts/oracles/constructed_tokenizers.py test/fixtures/tokenizers/constructed.json
"""

import base64
import json
import struct
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.pre_tokenizers import ByteLevel

TEXTS = ["a b", "ab  ab", " ab", "a\nb\n\n", "é", "€ab 🙂a", "🙂🙃", "Ab12c, 3.5!", "ﬁ①\u00a0x\u3000y", "e\u0301 ㍿", "x<s>ab</s> a", "x <m> a<m>b"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
SPACE = "\u2581"
LETTERS = list("abcAxy123.,! ")


def charsmap(replacements: dict[str, str]) -> str:
    """A precompiled character map, as SentencePiece stores it: a double-array trie, then the texts it points to."""
    texts, offsets = b"", {}
    for key, value in replacements.items():
        offsets[key.encode()] = len(texts)
        texts += value.encode() + b"\0"
    children: dict[bytes, set[int]] = {b"": set()}
    for key in offsets:
        for at in range(len(key)):
            children.setdefault(key[:at], set()).add(key[at])
        children.setdefault(key, set()).add(0)
    units, used = [0] * 4096, {0}

    def place(prefix: bytes, node: int) -> None:
        labels = sorted(children[prefix])
        base = 1
        while any((base ^ label) in used for label in labels) or base in used:
            base += 1
        used.add(base)
        units[node] |= (node ^ base) << 10
        if 0 in labels:
            units[node] |= 1 << 8
        for label in labels:
            used.add(base ^ label)
            if label == 0:
                units[base] = 1 << 31 | offsets[prefix]
            else:
                units[base ^ label] |= label
        for label in labels:
            if label != 0:
                place(prefix + bytes([label]), base ^ label)

    place(b"", 0)
    blob = struct.pack("<4096I", *units)
    return base64.b64encode(struct.pack("<I", len(blob)) + blob + texts).decode()


def unigram(byte_fallback: bool, with_bytes: bool = True) -> models.Unigram:
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0)] + ([(byte, -20.0) for byte in BYTES] if with_bytes else [])
    pieces += [(SPACE, -3.0), (SPACE + "a", -3.5), (SPACE + "ab", -4.2), ("ab", -5.0)]
    return models.Unigram(pieces + [(letter, -4.5) for letter in LETTERS if letter != " "], 0, byte_fallback)


def bpe(pieces: list[str], merges: list[tuple[str, str]], **options) -> models.BPE:
    return models.BPE({piece: index for index, piece in enumerate(dict.fromkeys(pieces))}, merges, **options)


def byte_level(**options) -> models.BPE:
    return bpe(sorted(ByteLevel.alphabet()) + ["ab", "Ġa", "Ġab"], [("a", "b"), ("Ġ", "a"), ("Ġ", "ab")], **options)


def sentence(model, normalizer=None, pre=None, decoder=None) -> Tokenizer:
    tokenizer = Tokenizer(model)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre is not None:
        tokenizer.pre_tokenizer = pre
    if decoder is not None:
        tokenizer.decoder = decoder
    tokenizer.add_special_tokens(["<s>", "</s>"])
    return tokenizer


def raw(model, normalizer: dict) -> Tokenizer:
    tokenizer = json.loads(sentence(model).to_str())
    tokenizer["normalizer"] = normalizer
    return Tokenizer.from_str(json.dumps(tokenizer))


prepend = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
back = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
metaspace = pre_tokenizers.Metaspace()
LIGATURES = {"ﬁ": "fi", "①": "1", "\u00a0": " ", "\u3000": " ", "\n": " ", "㍿": "ab", "é": "e", "e\u0301": "E"}
pieces = ["<unk>", "<s>", "</s>", *BYTES, SPACE, *LETTERS, "ab", SPACE + "a"]
sp_merges = [("a", "b"), (SPACE, "a")]
words = {w: i for i, w in enumerate(["<unk>", "<s>", "</s>", "a", "ab", "b", "##b", "##a", "c", "12", "##c", "x", "y", "3", ".", "5", "!", ",", "e", "fi"])}
added = sentence(byte_level(), pre=ByteLevel(add_prefix_space=False), decoder=decoders.ByteLevel())
added.add_tokens([AddedToken("<m>", lstrip=True, rstrip=True, normalized=False), AddedToken("x y", single_word=True)])
wordy = sentence(byte_level(), normalizers.Lowercase(), ByteLevel(add_prefix_space=False), decoders.ByteLevel())
wordy.add_tokens([AddedToken("AB", normalized=True, single_word=True)])

TOKENIZERS = {
    "unigram, byte fallback": sentence(unigram(True), prepend, None, back),
    "unigram, byte fallback without the bytes": sentence(unigram(True, False), prepend, None, back),
    "unigram, unknown": sentence(unigram(False), prepend, None, back),
    "unigram, metaspace": sentence(unigram(True), None, metaspace, decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])),
    "unigram, character map": raw(unigram(False), {"type": "Precompiled", "precompiled_charsmap": charsmap(LIGATURES)}),
    "unigram, character map in a sequence": raw(
        unigram(True),
        {"type": "Sequence", "normalizers": [
            {"type": "Precompiled", "precompiled_charsmap": charsmap(LIGATURES)},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": SPACE},
        ]},
    ),
    "bpe, byte fallback": sentence(bpe(pieces, sp_merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True), prepend, None, back),
    "bpe, unknown": sentence(bpe(pieces, sp_merges, unk_token="<unk>"), prepend, None, back),
    "bpe, fused unknown": sentence(bpe(pieces, sp_merges, unk_token="<unk>", fuse_unk=True), prepend, None, back),
    "bpe, no prefix": sentence(bpe(pieces, sp_merges, unk_token="<unk>", byte_fallback=True), None, pre_tokenizers.Metaspace(prepend_scheme="never"), back),
    "bpe, first": sentence(bpe(pieces, sp_merges, unk_token="<unk>", byte_fallback=True), None, pre_tokenizers.Metaspace(prepend_scheme="first"), back),
    "bpe, no split": sentence(bpe(pieces, sp_merges, unk_token="<unk>", byte_fallback=True), None, pre_tokenizers.Metaspace(split=False), back),
    "byte level": sentence(byte_level(), None, ByteLevel(add_prefix_space=False), decoders.ByteLevel()),
    "byte level, prefix": sentence(byte_level(), None, ByteLevel(add_prefix_space=True), decoders.ByteLevel()),
    "byte level, no regex": sentence(byte_level(), None, ByteLevel(add_prefix_space=False, use_regex=False), decoders.ByteLevel()),
    "byte level, ignore merges": sentence(byte_level(ignore_merges=True), None, ByteLevel(add_prefix_space=False), decoders.ByteLevel()),
    "byte level, subword prefix": sentence(bpe(sorted(ByteLevel.alphabet()) + ["@b", "ab"], [("a", "@b")], continuing_subword_prefix="@", unk_token="a"), None, ByteLevel(add_prefix_space=False), decoders.ByteLevel()),
    "added tokens": added,
    "added tokens in normalised text": wordy,
    **{
        f"split {behavior}{' inverted' if invert else ''}": sentence(
            byte_level(), None,
            pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"\d+|[.,!]"), behavior, invert), ByteLevel(add_prefix_space=False, use_regex=False)]),
            decoders.ByteLevel(),
        )
        for behavior in ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
        for invert in [False, True]
    },
    **{
        f"pre-tokenizer {name}": sentence(byte_level(), None, pre_tokenizers.Sequence([pre, ByteLevel(add_prefix_space=False, use_regex=False)]), decoders.ByteLevel())
        for name, pre in {
            "digits": pre_tokenizers.Digits(True),
            "digits together": pre_tokenizers.Digits(False),
            "punctuation": pre_tokenizers.Punctuation("isolated"),
            "punctuation with previous": pre_tokenizers.Punctuation("merged_with_previous"),
            "white space": pre_tokenizers.Whitespace(),
            "white space split": pre_tokenizers.WhitespaceSplit(),
            "bert": pre_tokenizers.BertPreTokenizer(),
            "scripts": pre_tokenizers.UnicodeScripts(),
            "delimiter": pre_tokenizers.CharDelimiterSplit("b"),
            "fixed length": pre_tokenizers.FixedLength(2),
        }.items()
    },
    **{
        f"normalizer {name}": sentence(byte_level(), normalizer, ByteLevel(add_prefix_space=False), decoders.ByteLevel())
        for name, normalizer in {
            "NFC": normalizers.NFC(), "NFD": normalizers.NFD(), "NFKC": normalizers.NFKC(), "NFKD": normalizers.NFKD(),
            "lowercase": normalizers.Lowercase(), "strip": normalizers.Strip(), "strip left": normalizers.Strip(True, False),
            "accents": normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]),
            "bert": normalizers.BertNormalizer(), "nmt": normalizers.Nmt(),
            "replace": normalizers.Replace(Regex("[ab]+"), "x"), "prepend": normalizers.Prepend("ab"),
        }.items()
    },
    "word piece": sentence(models.WordPiece(words, unk_token="<unk>"), normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()),
    "word level": sentence(models.WordLevel(words, unk_token="<unk>"), None, pre_tokenizers.Whitespace()),
}


def case(tokenizer: Tokenizer, text: str) -> dict:
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    return {"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)}


if __name__ == "__main__":
    made = [
        {"name": name, "tokenizer": json.loads(tokenizer.to_str()), "cases": [case(tokenizer, text) for text in TEXTS]}
        for name, tokenizer in TOKENIZERS.items()
    ]
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump(made, out, ensure_ascii=False, separators=(",", ":"))
        out.write("\n")
    print(len(made), "tokenizers")
