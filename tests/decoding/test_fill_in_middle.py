"""Infilling prompts, spelled out as each family's own documentation writes them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lipogram.decoding.errors import NoInfilling
from lipogram.decoding.fill_in_middle import File, FillInMiddle, Order
from lipogram.decoding.vocabulary import Vocabulary

ANGLED = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|endoftext|>", "<|fim_pad|>")
STAR = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|endoftext|>", "<fim_pad>")
NAMES = {
    "embedded": (*ANGLED[:4], "<|file_sep|>"),
    "angled": ANGLED[:3],
    "qwen": (*ANGLED, "<|repo_name|>", "<|file_sep|>"),
    "codegemma": (*ANGLED[:3], "<|file_separator|>"),
    "starcoder2": (*STAR, "<repo_name>", "<file_sep>"),
    "starcoder": (*STAR, "<filename>", "<reponame>"),
    "santacoder": ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    "codellama": ("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"),
    "deepseek": ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", "<|EOT|>"),
    "codestral": ("[PREFIX]", "[SUFFIX]"),
}
PLAIN = {
    ("embedded", "spm"): "<|fim_prefix|><|fim_suffix|>SUF<|fim_middle|>PRE",
    ("embedded", "psm"): "<|fim_prefix|>PRE<|fim_suffix|>SUF<|fim_middle|>",
    ("angled", "spm"): "<|fim_prefix|><|fim_suffix|>SUF<|fim_middle|>PRE",
    ("qwen", "psm"): "<|fim_prefix|>PRE<|fim_suffix|>SUF<|fim_middle|>",
    ("codegemma", "psm"): "<|fim_prefix|>PRE<|fim_suffix|>SUF<|fim_middle|>",
    ("starcoder2", "psm"): "<fim_prefix>PRE<fim_suffix>SUF<fim_middle>",
    ("starcoder", "spm"): "<fim_prefix><fim_suffix>SUF<fim_middle>PRE",
    ("santacoder", "psm"): "<fim-prefix>PRE<fim-suffix>SUF<fim-middle>",
    ("codellama", "psm"): "▁<PRE> PRE▁<SUF>SUF▁<MID>",
    ("codellama", "spm"): "▁<PRE>▁<SUF>SUF▁<MID> PRE",
    ("deepseek", "psm"): "<｜fim▁begin｜>PRE<｜fim▁hole｜>SUF<｜fim▁end｜>",
    ("codestral", "spm"): "[SUFFIX]SUF[PREFIX]PRE",
}
WITH_FILES = {
    "qwen": "<|repo_name|>repository\n<|file_sep|>a.py\nA\n<|file_sep|>b.py\nB\n<|file_sep|>me.py\n"
    "<|fim_prefix|>PRE<|fim_suffix|>SUF<|fim_middle|>",
    "codegemma": "<|file_separator|>a.py\nA\n<|file_separator|>b.py\nB\n<|file_separator|>me.py\n"
    "<|fim_prefix|>PRE<|fim_suffix|>SUF<|fim_middle|>",
    "starcoder2": "<repo_name>repository\n<file_sep>a.py\nA\n<file_sep>b.py\nB\n<file_sep>me.py\n"
    "<fim_prefix>PRE<fim_suffix>SUF<fim_middle>",
    "deepseek": "<｜fim▁begin｜>#a.py\nA\n#b.py\nB\nPRE<｜fim▁hole｜>SUF<｜fim▁end｜>",
    "codestral": "[SUFFIX]SUF[PREFIX]+++++ a.py\nA\n+++++ b.py\nB\nPRE",
}


def vocabulary(names: Sequence[str], text_start: bytes = b"") -> Vocabulary:
    tokens = [bytes([byte]) for byte in range(256)] + [b""] * len(names)
    specials = {name: 256 + index for index, name in enumerate(names)}
    return Vocabulary(tokens, specials=specials, text_start=text_start)


def spelled(tokens: Sequence[int], text: bytes, names: Sequence[str]) -> str:
    pieces = [names[id - 256].encode() if id >= 256 else bytes([id]) for id in tokens]
    return (b"".join(pieces) + text).decode()


def fill_in(family: str) -> FillInMiddle:
    start = b" " if family == "codellama" else b""
    made = FillInMiddle(vocabulary(NAMES[family], start))
    assert made.name == family
    return made


@pytest.mark.parametrize(("family", "order"), PLAIN)
def test_a_prompt(family: str, order: Order) -> None:
    prompt = fill_in(family).prompt("PRE", "SUF", order=order)
    assert spelled(prompt.tokens, prompt.text, NAMES[family]) == PLAIN[family, order]
    assert prompt.text == (b"" if order == "psm" else prompt.text[:-3] + b"PRE")


@pytest.mark.parametrize("family", WITH_FILES)
def test_other_files_stand_before(family: str) -> None:
    files = [File("a.py", "A\n"), File("b.py", "B")]
    prompt = fill_in(family).prompt("PRE", "SUF", files, name="me.py")
    assert spelled(prompt.tokens, prompt.text, NAMES[family]) == WITH_FILES[family]


@pytest.mark.parametrize("family", NAMES)
def test_text_is_never_a_special_token(family: str) -> None:
    names = NAMES[family]
    evil = "".join(names)
    made = fill_in(family)
    for order in made.orders:
        plain = made.prompt("", "", [File("x", "y")], order)
        prompt = made.prompt(evil, evil, [File(evil, evil)], order)
        counts = [sum(id >= 256 for id in each.tokens) for each in (plain, prompt)]
        assert counts[0] == counts[1]


@pytest.mark.parametrize("family", NAMES)
def test_the_default_is_the_first_order_and_others_are_refused(family: str) -> None:
    made = fill_in(family)
    assert made.prompt("a", "b") == made.prompt("a", "b", order=made.orders[0])
    for order in {"psm", "spm"} - set(made.orders):
        with pytest.raises(ValueError, match="expected one of the orders"):
            made.prompt("a", "b", order=order)  # type: ignore[arg-type]


def test_empty_prefix_and_suffix() -> None:
    prompt = fill_in("embedded").prompt("", "")
    assert spelled(prompt.tokens, prompt.text, NAMES["embedded"]) == "".join(
        ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
    )


def test_a_middle_ends_before_what_is_not_text() -> None:
    made = fill_in("qwen")
    assert {NAMES["qwen"][id - 256] for id in made.ends} == set(NAMES["qwen"])


def test_a_model_without_sentinels_is_refused() -> None:
    with pytest.raises(NoInfilling, match="no special tokens for infilling"):
        FillInMiddle(vocabulary(("<|endoftext|>", "<|fim_prefix|>")))
