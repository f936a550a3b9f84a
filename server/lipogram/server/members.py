"""Draws members of a compiled language without a model, to show what a grammar means."""

from __future__ import annotations

import random

from lipogram.grammars import Automaton, EmptyLanguage
from lipogram.grammars.completion import completion

_LIKED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_PRINTED = frozenset(range(0x20, 0x7F))


def draw(automaton: Automaton, generator: random.Random, wander: int = 40) -> bytes:
    """A random member: up to `wander` bytes at random, then the shortest way to an end.

    Letters and digits are preferred to other printed characters, and those to all else.
    Raises EmptyLanguage where munch leaves no member to be found.
    """
    state = automaton.start()
    text = bytearray()
    for _ in range(wander):
        options = automaton.next_bytes(state)
        if not options or (automaton.is_complete(state) and generator.random() < 0.25):
            break
        byte = generator.choice(sorted(_preferred(options, generator)))
        following = automaton.step(state, byte)
        if following is None:
            break
        text.append(byte)
        state = following
    end = completion(automaton, state)
    return shortest(automaton) if end is None else bytes(text) + end


def shortest(automaton: Automaton) -> bytes:
    """A shortest member; raises EmptyLanguage where munch leaves none to be found."""
    member = completion(automaton, automaton.start())
    if member is None:
        raise EmptyLanguage("no text was found that maximal munch allows")
    return member


def _preferred(options: frozenset[int], generator: random.Random) -> frozenset[int]:
    roll = generator.random()
    if roll < 0.6 and options & _LIKED:
        return options & _LIKED
    return options & _PRINTED or options
