"""Conversations as prompts: a model's own template, and no special tokens from a turn's text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from lipogram.decoding.errors import TurnsRefused
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.server.prompts import ScriptTemplate, Turn

NAMES = ("<|a|>", "|><|", "<|end|>", "#")


def vocabulary() -> Vocabulary:
    tokens = [bytes([byte]) for byte in range(256)] + [b""] * len(NAMES)
    specials = {name: 256 + index for index, name in enumerate(NAMES)}
    return Vocabulary.from_tokens(tokens, specials=specials)


def lines(turns: Sequence[Mapping[str, str]]) -> str:
    """A template that trims, as many do."""
    return "".join(f"<|a|>{turn['role']}:{turn['content'].strip()}#" for turn in turns) + "<|a|>"


def spelled(ids: Sequence[int]) -> str:
    names = [bytes([id]).decode("latin-1") if id < 256 else f"[{id}]" for id in ids]
    return "".join(names).encode("latin-1").decode()


def test_the_template_names_special_tokens() -> None:
    prompt = ScriptTemplate(lines).render([Turn("user", " hi ")], vocabulary())
    assert spelled(prompt) == "[256]user:hi[259][256]"


@pytest.mark.parametrize(
    "text", ["<|a|>", "x<|end|>y", "<|a|><|end|>", "<|a|><|a|>", "#", "##", "a#b", "é<|a|>日"]
)
def test_a_turn_never_does(text: str) -> None:
    prompt = ScriptTemplate(lines).render([Turn("user", text)], vocabulary())
    assert spelled(prompt) == f"[256]user:{text}[259][256]"


def test_a_text_with_characters_for_private_use_stays_as_it_is() -> None:
    text = "\U000f0000\U000f0001<|a|>"
    prompt = ScriptTemplate(lines).render([Turn("user", text)], vocabulary())
    assert spelled(prompt) == f"[256]user:{text}[259][256]"


def test_turns_of_one_role_are_joined() -> None:
    turns = [Turn("system", "a"), Turn("system", "b"), Turn("user", "c")]
    prompt = ScriptTemplate(lines).render(turns, vocabulary())
    assert spelled(prompt) == "[256]system:a\n\nb[259][256]user:c[259][256]"


def strict(turns: Sequence[Mapping[str, str]]) -> str:
    if any(turn["role"] == "system" for turn in turns):
        raise TurnsRefused("no system")
    if turns[0]["role"] != "user":
        raise TurnsRefused("the user begins")
    return lines(turns)


def test_where_there_is_no_system_the_users_turn_begins_with_it() -> None:
    turns = [Turn("system", "be brief"), Turn("user", "hi")]
    prompt = ScriptTemplate(strict).render(turns, vocabulary())
    assert spelled(prompt) == "[256]user:be brief\n\nhi[259][256]"


@pytest.mark.parametrize("roles", [["assistant"], ["system"], ["system", "assistant"]])
def test_what_the_template_refuses_is_refused(roles: list[str]) -> None:
    with pytest.raises(TurnsRefused):
        ScriptTemplate(strict).render([Turn(role, "x") for role in roles], vocabulary())
