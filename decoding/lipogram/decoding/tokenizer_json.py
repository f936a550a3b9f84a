"""Reads a Hugging Face `tokenizer.json`: the bytes of every token, and an encoder true to bytes.

Three spellings of bytes are known: byte-level (GPT-2's printable stand-ins for the 256 bytes),
SentencePiece's (`▁` for a space, `<0xHH>` for a byte) and plain text. What would change the text
before encoding (a dummy space in front, Unicode normalisation) is taken out, so that the tokens'
bytes are the text's bytes; the dummy space is reported as `text_start`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer

from lipogram.decoding.encoders import BytePairs
from lipogram.decoding.errors import UnsupportedTokenizer

# fmt: off
EOS_NAMES: Final = frozenset([
    "</s>", "<eos>", "[EOS]", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>",
    "<|im_end|>", "<|end|>", "<|eot|>", "<|endofturn|>", "<|return|>", "<|call|>",
    "<end_of_turn>", "<turn|>", "<｜end▁of▁sentence｜>",
])
# fmt: on
MASK_NAMES: Final = frozenset(["<mask>", "[MASK]", "<|mask|>", "<|mdm_mask|>"])

_GPT2_PATTERN: Final = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

# Tokens of this shape steer the model even where a file forgets to call them special.
_CONTROL: Final = re.compile(r"<[|｜].+[|｜]>", re.DOTALL)
_BYTE_PIECE: Final = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACE_PIECE: Final = "▁"
_UNICODE_FORMS: Final = frozenset({"NFC", "NFD", "NFKC", "NFKD"})


@dataclass(frozen=True, slots=True)
class TokenizerFile:
    """What the file says, special tokens as b""."""

    tokens: tuple[bytes, ...]
    specials: Mapping[str, int]
    text_start: bytes
    space: str | None  # the character that stands for a space in the tokens' names
    tokenizer: Tokenizer
    byte_pairs: BytePairs | None  # where it is nothing but byte-level BPE


def read(source: Path | str, extra_specials: Iterable[str] = ()) -> TokenizerFile:
    """Read a path or the JSON text itself; raises UnsupportedTokenizer."""
    text = source if isinstance(source, str) and source.lstrip()[:1] == "{" else None
    try:
        content = json.loads(text or Path(source).read_text(encoding="utf-8"))
        model = content["model"]
        names = _names(model)
    except (ValueError, KeyError, TypeError) as error:
        raise UnsupportedTokenizer(f"not a tokenizer.json: {error!r}") from error
    added = content.get("added_tokens") or []
    for token in added:
        name = token["content"]
        token["special"] |= name in extra_specials or _CONTROL.fullmatch(name) is not None
    specials = {token["content"]: token["id"] for token in added if token["special"]}
    if model.get("unk_token") in names:
        specials.setdefault(model["unk_token"], names[model["unk_token"]])
    if isinstance(model.get("unk_id"), int):
        specials.setdefault(model["vocab"][model["unk_id"]][0], model["unk_id"])
    ids = [*names.values(), *(token["id"] for token in added)]
    tokens = [b""] * (max(ids) + 1)
    spelled = _bytes_of_names(content)
    for name, id in names.items():
        tokens[id] = spelled(name)
    for token in added:
        tokens[token["id"]] = b"" if token["special"] else token["content"].encode()
    for id in specials.values():
        tokens[id] = b""
    space = _SPACE_PIECE if spelled(_SPACE_PIECE) == b" " else None
    start, tokenizer = _text_start(content), _faithful(content)
    pairs = _byte_pairs(content, tokenizer, names)
    return TokenizerFile(tuple(tokens), specials, start, space, tokenizer, pairs)


def _names(model: Mapping[str, Any]) -> dict[str, int]:
    vocab = model["vocab"]
    if isinstance(vocab, dict):
        return {str(name): int(id) for name, id in vocab.items()}
    return {str(name): id for id, (name, _score) in enumerate(vocab)}


def _components(content: Mapping[str, Any], *sections: str) -> Iterator[dict[str, Any]]:
    """The parts of some pipeline sections, sequences unfolded."""
    unseen = [content.get(section) for section in sections]
    while unseen:
        component = unseen.pop(0)
        if component is None:
            continue
        yield component
        for inner in ("normalizers", "pretokenizers", "decoders"):
            unseen.extend(component.get(inner) or [])


def _bytes_of_names(content: Mapping[str, Any]) -> Callable[[str], bytes]:
    """How this file spells a token's bytes in its name."""
    components = list(_components(content, "normalizer", "pre_tokenizer", "decoder"))
    kinds = {component["type"] for component in components}
    if "ByteLevel" in kinds:
        return _byte_level
    model = content["model"]
    if model.get("type") == "WordPiece":
        prefix = model.get("continuing_subword_prefix") or "##"
        return lambda name: (
            name[len(prefix) :].encode() if name.startswith(prefix) else b" " + name.encode()
        )
    suffix = model.get("end_of_word_suffix") or ""
    spaces = "Metaspace" in kinds or _SPACE_PIECE in json.dumps(components, ensure_ascii=False)

    def sentence_piece(name: str) -> bytes:
        piece = _BYTE_PIECE.fullmatch(name)
        if piece is not None:
            return bytes([int(piece[1], 16)])
        if suffix and name.endswith(suffix):
            name = name[: -len(suffix)] + " "
        return (name.replace(_SPACE_PIECE, " ") if spaces else name).encode()

    return sentence_piece


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's stand-ins: printable bytes stand for themselves, the others from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (byte for byte in range(256) if byte not in printable)
    return {chr(byte): byte for byte in printable} | {
        chr(0x100 + index): byte for index, byte in enumerate(others)
    }


_BYTE_OF: Final = _byte_alphabet()


def _byte_level(name: str) -> bytes:
    try:
        return bytes(_BYTE_OF[character] for character in name)
    except KeyError:
        return name.encode()


def _byte_pairs(
    content: Mapping[str, Any], tokenizer: Tokenizer, names: Mapping[str, int]
) -> BytePairs | None:
    """The splits and merges of a byte-level BPE that drops, marks and rewrites nothing."""
    model = content["model"]
    parts = _components(content, "pre_tokenizer", "decoder")
    plain = [token for token in content.get("added_tokens") or [] if not token["special"]]
    marks = (model.get("continuing_subword_prefix"), model.get("end_of_word_suffix"))
    strange = content["normalizer"] is not None or model.get("dropout") or any(marks)
    strange = strange or any(t["lstrip"] or t["rstrip"] or t["single_word"] for t in plain)
    byte_level = any(component["type"] == "ByteLevel" for component in parts)
    if model.get("type") != "BPE" or strange or not byte_level or not names.keys() >= set(_BYTE_OF):
        return None
    bare = Tokenizer.from_str(
        json.dumps({"version": "1.0", "model": dict(model) | {"ignore_merges": False}})
    ).model
    character = {byte: name for name, byte in _BYTE_OF.items()}

    def merged(piece: bytes) -> tuple[int, ...]:
        return tuple(
            token.id for token in bare.tokenize("".join(map(character.__getitem__, piece)))
        )

    def pieces(text: str) -> list[int]:
        split = tokenizer.pre_tokenizer
        if split is None:
            return [len(text)]
        return [end for _, (_, end) in split.pre_tokenize_str(text)]

    whole = {_byte_level(name): id for name, id in names.items()}
    added = {token["content"]: token["id"] for token in plain}
    kept = whole if model.get("ignore_merges") else {}
    return BytePairs(pieces, merged, kept, added, _pattern(content))


def _pattern(content: Mapping[str, Any]) -> str | None:
    """The regular expressions that split a text; None where it is split by anything else."""
    patterns = []
    for component in _components(content, "pre_tokenizer"):
        if component["type"] == "Split" and "Regex" in component["pattern"]:
            patterns.append(str(component["pattern"]["Regex"]))
        elif component["type"] == "ByteLevel":
            patterns += [_GPT2_PATTERN] if component.get("use_regex", True) else []
        elif component["type"] != "Sequence":
            return None
    return "|".join(patterns)


def _text_start(content: Mapping[str, Any]) -> bytes:
    """The dummy space that the file's pipeline would put before a text, or b""."""
    for component in _components(content, "normalizer", "pre_tokenizer"):
        if component["type"] == "Prepend":
            return str(component["prepend"]).replace(_SPACE_PIECE, " ").encode()
        if component["type"] == "Metaspace" and _prepends(component):
            return b" "
        if component["type"] == "ByteLevel" and component.get("add_prefix_space"):
            return b" "
    return b" " if content["model"].get("type") == "WordPiece" else b""


def _prepends(metaspace: Mapping[str, Any]) -> bool:
    if "prepend_scheme" in metaspace:
        return bool(metaspace["prepend_scheme"] != "never")
    return bool(metaspace.get("add_prefix_space", True))


def _faithful(content: dict[str, Any]) -> Tokenizer:
    """The file's tokenizer without what adds to the text or rewrites it."""
    for component in _components(content, "pre_tokenizer"):
        if component["type"] == "Metaspace":
            component.pop("add_prefix_space", None)
            component["prepend_scheme"] = "never"
        elif component["type"] == "ByteLevel":
            component["add_prefix_space"] = False
    content["normalizer"] = _without_rewriting(content.get("normalizer"))
    content |= {"post_processor": None, "truncation": None, "padding": None}
    try:
        return Tokenizer.from_str(json.dumps(content))
    except Exception as error:  # the library raises bare Exception
        raise UnsupportedTokenizer(f"the tokenizers library refuses it: {error}") from error


def _without_rewriting(normalizer: dict[str, Any] | None) -> dict[str, Any] | None:
    if normalizer is None or normalizer["type"] in _UNICODE_FORMS | {"Prepend"}:
        return None
    if normalizer["type"] == "Sequence":
        kept = map(_without_rewriting, normalizer["normalizers"])
        return normalizer | {"normalizers": [part for part in kept if part is not None]}
    return normalizer
