"""Covers of every byte prefix of difficult texts, for every kind of tokenizer."""

import asyncio
import json
import random
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from tokenizers import Tokenizer, models, trainers

from conformance import datasets
from laws.tokenizing import ignoring_merges, trained, with_added
from lipogram.decoding import Unspellable, Vocabulary
from lipogram.decoding.bytes.model import ByteModel
from lipogram.decoding.bytes.segmentation import Merging, Reencoding, unfinished
from lipogram.decoding.bytes.states import ByteState
from lipogram.decoding.models import embedded
from lipogram.decoding.models.base import Logits, Query
from lipogram.decoding.models.table import TableModel

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN = CL100K.replace(r"\p{N}{1,3}", r"\p{N}")
CASES = r" ?\p{Lu}?\p{Ll}+| ?\p{Lu}+(?!\p{Ll})|\p{N}{1,3}| ?[^\s\p{L}\p{N}]{1,4}|\s+(?!\S)|\s+"

TEXTS = {
    "contractions": "it's IT'S don't we'll they'RE o'clock ''s 'tis",
    "spaces": "a  b   c    \n    d\n\n\n  e \t\t f  \n",
    "digits": "1 12 123 1234 12345 1234567 1.5e10",
    "code": "    def f(self, x=None):\n        return {'a': x[1:]}\n\n\nclass HTTPServer2:\n",
    "scripts": "日本語のテキスト 한국어 tiếng Việt বাংলা ไทย שלום",
    "emoji": "👩‍👩‍👧 naïve cafe\u0301 🇪🇺 ✓✓",
    "lines": "a\r\nb\r\n\r\nc\x00\x07\x1b[0m",
    "markup": "<p class='x'>a&amp;b</p><|endoftext|><tool>x<too",
}


@cache
def prose() -> list[str]:
    return [*TEXTS.values(), *(text * 3 for text in TEXTS.values()), "the cat's hat. " * 20]


def sentence_piece() -> Vocabulary:
    """A SentencePiece-like BPE: ▁ for spaces, byte pieces, nothing split before merging."""
    letters = "abcdefghilnorstxy<>'.:"
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *letters]
    merges = [["▁", "▁"], ["e", "r"], ["s", "e"], ["▁", "t"], ["▁▁", "▁▁"], ["l", "l"], ["t", "s"]]
    merges += [["▁", "b"], ["▁t", "e"], ["o", "n"], ["'", "s"], ["▁b", "er"], ["se", "ll"]]
    pieces += [left + right for left, right in merges]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    return Vocabulary.from_tokenizer_json(
        json.dumps(
            {
                "version": "1.0",
                "added_tokens": [
                    {"id": id, "content": pieces[id], "special": True, **flags} for id in range(3)
                ],
                "normalizer": {"type": "Sequence", "normalizers": [
                    {"type": "Prepend", "prepend": "▁"}, replace]},
                "decoder": {"type": "Sequence", "decoders": [
                    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                    {"type": "ByteFallback"}, {"type": "Fuse"}]},
                "model": {
                    "type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True,
                    "vocab": {piece: id for id, piece in enumerate(pieces)}, "merges": merges,
                },
            }
        )
    )  # fmt: skip


def unigram() -> Vocabulary:
    tokenizer = Tokenizer(models.Unigram())
    alphabet = sorted(set("".join(prose())))
    trainer = trainers.UnigramTrainer(
        vocab_size=len(alphabet) + 60, special_tokens=["<unk>", "</s>"], unk_token="<unk>",
        initial_alphabet=alphabet, show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(prose(), trainer)
    return Vocabulary.from_tokenizer_json(tokenizer.to_str())


def bpe(pattern: str | None, change=lambda text: text) -> Vocabulary:
    return Vocabulary.from_tokenizer_json(change(trained(prose(), 420, pattern)))


def tiktoken(name: str) -> Vocabulary:
    archive = np.load(datasets.path("vocabularies") / f"{name}.npz")
    data, meta = archive["data"].tobytes(), json.loads(archive["meta"].tobytes())
    tokens = [data[begin:end] for begin, end in pairwise(archive["offsets"])]
    special = archive["special_ids"].tolist()
    ranks = {text: id for id, text in enumerate(tokens) if text and id not in special}
    names = {f"<special {id}>": id for id in special}
    return Vocabulary.from_tiktoken(ranks, meta["pat_str"], names, (meta["eos"],))


MAKERS = {
    "gpt2": lambda: bpe(GPT2),
    "cl100k": lambda: bpe(CL100K),
    "qwen": lambda: bpe(QWEN),
    "cases": lambda: bpe(CASES),
    "whole": lambda: bpe(None),
    "llama3": lambda: bpe(CL100K, ignoring_merges),
    "added": lambda: bpe(GPT2, lambda text: with_added(text, "<tool>", "<too", "  ")),
    "sentence piece": sentence_piece,
    "unigram": unigram,
    "embedded-2k": lambda: embedded.load("embedded-2k").vocabulary,
    "embedded-4k": lambda: embedded.load("embedded-4k").vocabulary,
    "real cl100k": lambda: tiktoken("cl100k_base"),
    "real tekken": lambda: tiktoken("tekken_131k"),
}
made = cache(lambda name: MAKERS[name]())


def silent(vocabulary: Vocabulary, mode: str = "valid") -> ByteModel:
    """A model that is never asked."""

    def scores(prefix: tuple[int, ...]) -> np.ndarray:
        raise AssertionError("no choice was asked for")

    return ByteModel(TableModel(vocabulary, scores), mode)


def holds(state: ByteState, cover: tuple[int, ...]) -> bool:
    """Whether a token string is one of the state's covers."""
    lexicon = state.model.vocabulary.lexicon
    for head in state.heads:
        path = state.trunk + head.path
        if not head.pending and path == cover:
            return True
        if head.pending and path == cover[:-1]:
            ranks = [rank for rank in range(head.low, head.high) if lexicon.ids[rank] == cover[-1]]
            if ranks and state.judge(head, np.array(ranks))[0] and state._may_live(head):
                return True
    return False


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("name", MAKERS)
def test_what_the_tokenizer_writes_is_among_the_covers_of_every_prefix(
    name: str, text: str
) -> None:
    vocabulary = made(name)
    raw = text.encode()
    ids = tuple(vocabulary.encode(raw))
    ends = np.cumsum([len(vocabulary.tokens[id]) for id in ids])
    state = silent(vocabulary).open([b""])
    for size in range(1, len(raw) + 1):
        state = state.advance(raw[size - 1])
        if unfinished(raw[:size]) and name in ("unigram", "sentence piece"):
            continue  # judged when the character is complete
        count = int(np.searchsorted(ends, size)) + 1
        assert holds(state, ids[:count]), (raw[:size], raw[size : size + 9])


@pytest.mark.parametrize("name", ["gpt2", "cl100k", "llama3", "cases", "added", "sentence piece"])
def test_heads_spell_the_text_and_are_few(name: str) -> None:
    vocabulary = made(name)
    for text in TEXTS.values():
        raw = text.encode()
        state = silent(vocabulary).open([b""])
        for size in range(1, len(raw) + 1):
            state = state.advance(raw[size - 1])
            paths = [state.trunk + head.path for head in state.heads]
            spelled = [vocabulary.decode(p) + h.pending
                       for p, h in zip(paths, state.heads, strict=True)]  # fmt: skip
            assert set(spelled) == {raw[:size]}
            assert len({(p, h.pending) for p, h in zip(paths, state.heads, strict=True)}) == len(
                paths
            )
            live = [h for h in state.heads if not h.pending or state._may_live(h)]
            assert len(live) <= 12


@pytest.mark.parametrize("name", ["gpt2", "cl100k", "sentence piece", "real cl100k"])
def test_opening_is_advancing(name: str) -> None:
    """However the text is cut between prompt and bytes, the live heads are the same."""
    vocabulary = made(name)
    for text in TEXTS.values():
        raw = text.encode()
        cut = random.Random(3).randrange(len(raw))
        model = silent(vocabulary)
        states = [model.open([raw]), model.open([raw[:cut]]), model.open([b""])]
        for byte in raw[cut:]:
            states[1] = states[1].advance(byte)
        for byte in raw:
            states[2] = states[2].advance(byte)
        live = [
            {(state.trunk + head.path, head.pending)
             for head in state.heads if not head.pending or state._may_live(head)}
            for state in states
        ]  # fmt: skip
        assert live[0] == live[1] == live[2]


@pytest.mark.parametrize("name", ["whole", "gpt2", "cl100k"])
def test_merges_and_encoding_judge_alike(name: str) -> None:
    """Pairs of tokens: by their parts, and by encoding what they spell."""
    vocabulary = made(name)
    by_parts = vocabulary.segmentation
    assert isinstance(by_parts, Merging)
    by_encoding = Reencoding(vocabulary.tokens, vocabulary.encode)
    rng = random.Random(1)
    texts = [id for id, text in enumerate(vocabulary.tokens) if text and max(text) < 0x80]
    seen = {True: 0, False: 0}
    for _ in range(20_000):
        pair = (rng.choice(texts), rng.choice(texts))
        want = by_encoding.writes(pair, is_end=True)
        assert by_parts.writes(pair, is_end=True) == want, [vocabulary.tokens[id] for id in pair]
        seen[want] += 1
    assert min(seen.values()) > 100


def test_a_piece_that_is_a_token_may_still_grow() -> None:
    """Where merges are ignored two token strings can spell a beginning."""
    content = json.loads(trained(["ab"] * 9, 259, None))
    content["model"]["vocab"]["abc"] = 258
    content["model"]["merges"] = [["a", "b"]]
    content["model"]["vocab"] = {
        name: id for name, id in content["model"]["vocab"].items() if name != "ab"
    } | {"ab": 257}
    vocabulary = Vocabulary.from_tokenizer_json(ignoring_merges(json.dumps(content)))
    assert vocabulary.encode(b"abc") == [258]
    assert vocabulary.decode(vocabulary.encode(b"abcd")[:1]) == b"ab"
    state = silent(vocabulary).open([b"abc"])
    paths = {state.trunk + head.path for head in state.heads if not head.pending}
    assert paths == {(258,), tuple(vocabulary.encode(b"abcd")[:2])}


class Counting:
    """Passes on what a model says, and keeps what it was asked."""

    def __init__(self, model: TableModel) -> None:
        self.model, self.name = model, model.name
        self.vocabulary, self.context_tokens = model.vocabulary, model.context_tokens
        self.calls: list[list[Query]] = []

    async def logits(self, queries: list[Query]) -> list[Logits]:
        self.calls.append(list(queries))
        return await self.model.logits(queries)


def test_the_model_is_asked_once_for_each_law_and_only_for_what_is_new() -> None:
    vocabulary = made("gpt2")
    model = Counting(TableModel.random(vocabulary, 1))

    async def check() -> None:
        state = ByteModel(model).open([b"the cat"])
        for byte in b"'s hat.":
            state = state.advance(byte)
        assert not model.calls
        await state.logprobs()
        await state.logprobs()
        assert len(model.calls) == 1
        rows = 0
        for byte in b" the cat's hat." * 3:
            state = state.advance(byte)
            before = len(model.calls)
            await state.logprobs()
            rows += sum(1 + len(query.draft) for call in model.calls[before:] for query in call)
            assert len(model.calls) <= before + 1
        assert rows <= 2 * 45

    asyncio.run(check())


def test_states_are_values() -> None:
    model = ByteModel(TableModel.random(made("gpt2"), 1))

    async def check() -> None:
        state = model.open([b"the c"])
        before = await state.logprobs()
        for byte in b"azq ":
            other = state.advance(byte)
            await other.advance(ord("t")).logprobs()
        fresh = model.open([b"the c"])
        assert (await fresh.logprobs() == before).all()
        left, right = state.advance(ord("a")), fresh.advance(ord("a"))
        assert abs(np.exp(await left.logprobs()) - np.exp(await right.logprobs())).max() < 1e-12

    asyncio.run(check())


def test_sentinels_are_hard_boundaries() -> None:
    vocabulary = made("embedded-2k")
    state = silent(vocabulary).open([0, b"ret", 3, b"ur"])
    assert state.fixed == (0, *vocabulary.encode(b"ret"), 3)
    assert {vocabulary.decode(state.trunk + h.path) + h.pending for h in state.heads} == {b"ur"}


def test_bytes_that_no_token_spells_are_refused() -> None:
    vocabulary = Vocabulary.from_tokens([b"a", b"b", b""], (2,))
    with pytest.raises(Unspellable):
        silent(vocabulary).open([b"ac"])
    with pytest.raises(Unspellable, match="0x63"):
        silent(vocabulary).open([b"a"]).advance(ord("c"))


def test_arguments_are_checked() -> None:
    model = TableModel.random(made("gpt2"), 1)
    with pytest.raises(ValueError, match="mode"):
        ByteModel(model, "some")
    with pytest.raises(ValueError, match="epsilon"):
        ByteModel(model, epsilon=1.0)
    with pytest.raises(ValueError, match="logprobs"):
        _ = ByteModel(model).open([b"a"]).leak
