"""Synthetic text-to-JSON items: a text, the object it states, and the object's schema."""

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lipogram.decoding.train.domains import DOMAINS, INSTRUCTIONS, Domain, Field, show

SEED = 20
HELD_OUT_ONE_IN = 16


@dataclass(frozen=True, slots=True)
class Item:
    """The schema is not part of the prompt: a grammar supplies the keys, the model the values."""

    text: str
    value: dict[str, Any]
    schema: dict[str, Any]

    @property
    def answer(self) -> str:
        """The object as the models write it."""
        return json.dumps(self.value, ensure_ascii=False)


def items(seed: int, *, held_out: bool) -> Iterator[Item]:
    """An endless, reproducible stream; no object of the held-out one ever occurs in the other."""
    rng = random.Random(f"{seed}:{held_out}")
    while True:
        item = draw(rng)
        if is_held_out(item) == held_out:
            yield item


def is_held_out(item: Item) -> bool:
    """Whether an item is kept from training; its object alone decides, whatever text states it."""
    canonical = json.dumps(item.value, sort_keys=True).encode()
    return int.from_bytes(hashlib.sha256(canonical).digest()[:8], "big") % HELD_OUT_ONE_IN == 0


def draw(rng: random.Random) -> Item:
    """One random item."""
    domain = rng.choice(DOMAINS)
    optional = rng.sample(domain.fields, rng.randint(2, min(5, len(domain.fields))))
    chosen = [domain.subject, *optional]
    stated = {field.keys[0]: field.make(rng) for field in chosen}
    subject = stated[domain.subject.keys[0]]
    text = (
        _listing(rng, chosen, stated)
        if rng.random() < 0.25
        else _prose(rng, domain, optional, stated, subject)
    )
    if rng.random() < 0.3:
        text = f"{rng.choice(INSTRUCTIONS)}\n{text}"
    asked = [field for field in chosen if rng.random() < 0.9] or chosen[:1]
    if rng.random() < 0.4:
        rng.shuffle(asked)
    keys = {field.keys[0]: rng.choice(field.keys) for field in asked}
    value = {keys[field.keys[0]]: stated[field.keys[0]] for field in asked}
    properties = {keys[field.keys[0]]: field.schema for field in asked}
    return Item(
        text,
        value,
        {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        },
    )


def _prose(
    rng: random.Random, domain: Domain, optional: list[Field], stated: dict[str, Any], subject: str
) -> str:
    sentences, introduced = [], False
    if rng.random() < 0.5:
        sentences, introduced = [rng.choice(domain.openings).format(subject=subject)], True
    for field in rng.sample(optional, len(optional)):
        pronoun = introduced and rng.random() < 0.5
        name = domain.pronoun if pronoun else subject
        sentence = field.state(rng, stated[field.keys[0]]).format(subject=name)
        sentences.append(sentence[0].upper() + sentence[1:] if pronoun else sentence)
        introduced = True
    if rng.random() < 0.2:
        sentences.insert(rng.randrange(1, len(sentences) + 1), rng.choice(domain.asides))
    return " ".join(sentences)


def _listing(rng: random.Random, chosen: list[Field], stated: dict[str, Any]) -> str:
    separator, colon = rng.choice(("\n", "; ", "\n- ", " | ")), rng.choice((": ", " = ", " - "))
    lines = []
    for field in rng.sample(chosen, len(chosen)):
        label = rng.choice(field.keys).replace("_", " ")
        lines.append(
            (label if rng.random() < 0.3 else label.capitalize())
            + colon
            + show(stated[field.keys[0]])
        )
    return separator.join(lines)
