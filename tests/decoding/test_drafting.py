"""Drafters one by one: what they guess, and how far it pays to go."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from laws.running import run
from lipogram.decoding import (
    Autoregressive,
    Chain,
    Forced,
    Guess,
    Job,
    Masker,
    Ngrams,
    Place,
    Sampling,
    SmallModel,
    UnsupportedJob,
    Vocabulary,
)
from lipogram.decoding.bytes.course import BYTES as BYTE_SYMBOLS
from lipogram.decoding.course import Constrained, Course, Free
from lipogram.decoding.drafting.heads import Heads, HeadWeights, UnreadableHeads
from lipogram.decoding.drafting.ngrams import Occurrences
from lipogram.decoding.drafting.pace import Pace
from lipogram.decoding.models.embedded import EmbeddedCausal, load
from lipogram.decoding.models.table import TableModel
from lipogram.decoding.train import extraction
from lipogram.grammars import compile, ir, json_schema

BYTES = [bytes([byte]) for byte in range(256)]
VOCABULARY = Vocabulary.from_tokens([*BYTES, b"", b"name", b'":', b"the "], (256,))
FREE = Free(VOCABULARY, False)


def propose(
    drafter: Forced | Ngrams | SmallModel,
    prompt: Sequence[int],
    output: Sequence[int] = (),
    draft: Sequence[int] = (),
    course: Course = FREE,
    job: Job | None = None,
) -> list[Guess]:
    guesses = drafter.open(job or Job(tuple(prompt)), prompt)
    assert guesses is not None
    place = Place([*prompt, *output], draft, course, 0.5)
    return list(asyncio.run(guesses.propose(place, 8)))


def tokens(guesses: Sequence[Guess]) -> bytes:
    return VOCABULARY.decode([guess.token for guess in guesses])


def test_the_longest_end_that_came_before_is_found() -> None:
    rng = random.Random(1)
    for _ in range(300):
        size = rng.randint(1, 3)
        text = [rng.randrange(size) for _ in range(rng.randint(0, 24))]
        draft = [rng.randrange(size + 1) for _ in range(rng.randint(0, 4))]
        sequence = Occurrences()
        cut = rng.randint(0, len(text))
        sequence.add(text[:cut])
        sequence.add(text[cut:])
        whole = [*text, *draft]
        best = (0, 0)
        for length in range(1, len(whole) + 1):
            ending = whole[len(whole) - length :]
            ends = [
                end for end in range(length, len(text) + 1) if text[end - length : end] == ending
            ]
            # Without a draft the end itself does not count as having come before.
            if not draft and ends:
                ends = [end for end in ends if end < len(text)]
            if not ends:
                break
            best = (length, ends[0])
        assert sequence.seen(draft) == best
        assert sequence.following(best[1], 3) == text[best[1] : best[1] + 3]


def test_ends_that_are_long_are_told_apart_by_their_last_tokens() -> None:
    sequence = Occurrences()
    sequence.add([1] * 5000)
    assert sequence.seen([]) == (32, 32)
    assert sequence.seen([1, 2]) == (0, 0)


class TestNgrams:
    def test_what_followed_before_is_guessed_again(self) -> None:
        guesses = propose(Ngrams(VOCABULARY), b"one two three. on", b"e ")
        assert tokens(guesses) == b"two thre"
        assert guesses[0].confidence > propose(Ngrams(VOCABULARY), b"xyx")[0].confidence

    def test_the_draft_counts_as_text(self) -> None:
        assert tokens(propose(Ngrams(VOCABULARY), b"abcdef.", draft=b"ab")) == b"cdef."

    def test_nothing_is_guessed_after_what_is_new(self) -> None:
        assert not propose(Ngrams(VOCABULARY), b"abc")
        assert not propose(Ngrams(VOCABULARY), b"")

    def test_a_prediction_is_guessed_from_the_start_and_wherever_it_is_met(self) -> None:
        job = Job((), prediction=b"x = compute(1)")
        ngrams = Ngrams(VOCABULARY)
        assert tokens(propose(ngrams, b"Q:", job=job)) == b"x = comp"
        assert tokens(propose(ngrams, b"Q:", b"y = comp", job=job)) == b"ute(1)"


class TestForced:
    def test_what_the_grammar_determines_is_guessed_as_it_is_written(self) -> None:
        rule = ir.sequence(ir.Literal(b'"name":'), ir.one_of("01"))
        masker = Masker(compile(ir.Grammar({"s": rule}, "s")), VOCABULARY)
        course, job = Constrained(masker, 20, False), Job((), masker=masker)
        guesses = propose(Forced(VOCABULARY), b"", course=course, job=job)
        assert [VOCABULARY.tokens[guess.token] for guess in guesses] == [b'"', b"name", b'":']
        assert guesses[0].confidence > guesses[-1].confidence

    def test_without_a_rule_nothing_is_determined(self) -> None:
        assert Forced(VOCABULARY).open(Job(()), b"abc") is None


class TestSmallModel:
    SMALL = Vocabulary.from_tokens([b"", *(bytes([b]) for b in range(256)), b"hel"], (0,))

    def says(self, text: bytes) -> TableModel:
        """A byte at a time; `text` goes on wherever its beginning is."""

        def scores(prefix: tuple[int, ...]) -> list[float]:
            said = self.SMALL.decode(prefix)
            row = [0.0] * len(self.SMALL)
            for length in range(len(text) - 1, 0, -1):
                if said.endswith(text[:length]):
                    row[1 + text[length]] = 9.0
                    break
            return row

        return TableModel(self.SMALL, scores)

    def test_text_of_another_vocabulary_is_tokenized_anew(self) -> None:
        small = SmallModel(self.says(b"a name is a name"), VOCABULARY, 7)
        guesses = propose(small, b"", b"a ")
        assert [VOCABULARY.tokens[guess.token] for guess in guesses] == [b"name", b" ", b"i"]

    def test_it_writes_under_the_rule(self) -> None:
        rule = ir.sequence(ir.Literal(b"na"), ir.one_of("ty"), ir.Literal(b"me"))
        masker = Masker(compile(ir.Grammar({"s": rule}, "s")), VOCABULARY)
        small = SmallModel(self.says(b"name"), VOCABULARY, 3)
        course = Constrained(masker, 20, False)
        guesses = propose(small, b"", course=course, job=Job((), masker))
        assert tokens(guesses) == b"na"

    def test_special_tokens_are_told_by_their_names(self) -> None:
        ours = Vocabulary.from_tokens([*BYTES, b"", b""], (256,), specials={"<u>": 257})
        theirs = Vocabulary.from_tokens([b"", *BYTES, b""], (0,), specials={"<u>": 257})
        seen = []

        def scores(prefix: tuple[int, ...]) -> list[float]:
            seen.append(prefix)
            return [0.0] * len(theirs)

        small = SmallModel(TableModel(theirs, scores), ours, 1)
        propose(small, [257, ord("h")], [ord("i")])
        assert seen == [(257, 1 + ord("h"), 1 + ord("i"))]

    def test_bytes_are_guessed_by_a_law_of_bytes_after_the_same_special_tokens(self) -> None:
        ours = Vocabulary.from_tokens([*BYTES, b"", b"", b"he"], (256,), specials={"<u>": 257})
        theirs = Vocabulary.from_tokens([b"", *BYTES, b"hey", b""], (0,), specials={"<u>": 258})
        seen = []

        def scores(prefix: tuple[int, ...]) -> list[float]:
            seen.append(prefix)
            return [9.0 if id == 257 else 0.0 for id in range(len(theirs))]

        small = SmallModel(TableModel(theirs, scores), ours)
        job = Job((257,), text=b"a", byte_mode="full", sampling=Sampling(temperature=0))
        guesses = small.open(job, b"a")
        said, course = [], Free(BYTE_SYMBOLS, False)
        for output, draft in ((b"", b""), (b"", b"h"), (b"h", b""), (b"h", b"e"), (b"hx", b"")):
            place = Place(b"a" + output, draft, course, 0.5)
            [guess] = asyncio.run(guesses.propose(place, 8))
            said.append(guess.token)
        assert bytes(said) == b"heeyh"
        assert seen[0][:1] == (258,)

    def test_a_window_that_is_full_ends_the_draft(self) -> None:
        model = TableModel.random(self.SMALL, 1)
        model.context_tokens = 3
        assert not propose(SmallModel(model, VOCABULARY), b"abcd")
        same = TableModel.random(VOCABULARY, 1)
        same.context_tokens = 3
        assert not propose(SmallModel(same, VOCABULARY), b"abcd")


class TestPace:
    def test_what_was_measured_replaces_what_was_claimed(self) -> None:
        pace = Pace()
        assert pace.rate("a", 0.9) > 0.8
        for _ in range(50):
            pace.judged("a", 0.9, False)
        assert pace.rate("a", 0.9) < 0.1
        assert pace.rate("a", 0.5) > 0.4
        assert pace.rate("b", 0.9) > 0.8

    def test_wide_passes_that_cost_more_shorten_drafts(self) -> None:
        for slope, is_worth_it in ((0.05, True), (0.9, False)):
            pace = Pace()
            for width in [1, 4, 8, 2] * 10:
                pace.passed(width, 1 + slope * width)
            assert pace.takes(0.3) == is_worth_it
            assert pace.takes(1.0)

    def test_passes_of_one_width_tell_no_slope(self) -> None:
        pace = Pace()
        for _ in range(20):
            pace.passed(1, 0.01)
        assert pace.takes(0.2)
        assert not pace.takes(0.01)

    @pytest.mark.parametrize(("is_right", "seconds"), [(False, 0.0), (True, 5.0)])
    def test_a_drafter_that_does_not_pay_is_asked_seldom(
        self, is_right: bool, seconds: float
    ) -> None:
        """Because it is wrong, or because it takes longer than the passes that it spares."""
        pace = Pace()
        asked = 0
        for _ in range(4000):
            pace.passed(1, 1.0)
            if pace.asks("a", 1.0):
                asked += 1
                pace.guessed("a", seconds)
                pace.judged("a", 0.5, is_right)
        assert 5 <= asked < 400

    @pytest.mark.parametrize(("rate", "guess_ms", "pays"), [(0.27, 1.2, False), (0.9, 0.4, True)])
    def test_a_busy_machine_does_not_make_a_pass_look_dear(
        self, rate: float, guess_ms: float, pays: bool
    ) -> None:
        """Passes of 2.5 ms, and waits of 20 ms that come oftener in what takes longer."""
        pace, rng, asked = Pace(), random.Random(1), 0

        def busy(work_ms: float) -> float:
            return (work_ms + 20 * (rng.random() < 0.2 * work_ms)) / 1000

        for place in range(4000):
            pace.passed(1, busy(2.5))
            if pace.asks("a", 1.0):
                asked += 1
                pace.guessed("a", busy(guess_ms), place % 50 == 0)
                pace.judged("a", 0.5, rng.random() < rate)
        assert asked > 3800 if pays else asked < 200

    def test_what_the_first_guess_of_a_run_takes_is_shared_out(self) -> None:
        """Reading a prompt: worth it for the guesses of a long run, not for a few."""
        for guesses, is_worth_it in ((100, True), (2, False)):
            pace, asked = Pace(), 0
            for place in range(4000):
                pace.passed(1, 1.0)
                if pace.asks("a", 1.0):
                    asked += 1
                    pace.guessed("a", 0.1 if place % guesses else 10.0, place % guesses == 0)
                    pace.judged("a", 0.5, place % 10 < 8)
            assert asked > 3500 if is_worth_it else 10 < asked < 400

    def test_a_draft_must_pay_for_the_pass_that_it_widens(self) -> None:
        """Where two positions take much longer than one, and more of them little more."""
        pace = Pace()
        for width in [1, 2, 4, 8] * 10:
            pace.passed(width, 1.0 if width == 1 else 1.8 + 0.02 * width)
        assert not pace.pays([0.7], 2)
        assert pace.pays([0.7, 0.6], 3)
        assert pace.takes(0.1)


class TestHeads:
    """Random weights: what counts is that states are taken in as they come, and none twice."""

    SHAPE = (len(VOCABULARY), 8)

    def weights(self, folder: Path) -> Path:
        rng = np.random.default_rng(1)
        size, width = self.SHAPE
        shapes = {
            **{"token": (size, width), "lag": (9, width), "state": (width, width)},
            **{"head": (size, width), "places.0": (width, width), "places.1": (width, width)},
            **{f"layers.0.{part}": (width, width) for part in ("query", "out")},
            **{"layers.0.key": (width, 3 * width), "layers.0.value": (width, 2 * width)},
            **{"layers.0.up": (16, width), "layers.0.down": (width, 16)},
        }
        stored: dict[str, object] = {"heads": 2}
        for name, shape in shapes.items():
            stored[f"{name}.int8"] = rng.integers(-127, 128, shape).astype(np.int8)
            stored[f"{name}.scale"] = np.full((shape[0], 1), 0.01, np.float32)
        file = folder / "draft_heads.npz"
        np.savez(file, **stored)  # type: ignore[arg-type]
        return file

    class Model:
        """Knows the states of the first tokens, as many as it is told to."""

        known = 0

        def states(self, prefix: tuple[int, ...]) -> np.ndarray:
            ends = range(1, min(self.known, len(prefix)) + 1)
            rows = [np.random.default_rng(prefix[:end]).normal(size=8) for end in ends]
            return np.array(rows, np.float32).reshape(-1, 8)

    def guesses(self, weights: HeadWeights, steps: Sequence[int]) -> list[list[Guess]]:
        """What is guessed after more and more of a text, and a draft at the end."""
        model = self.Model()
        reading = Heads(model, weights).open(Job((), sampling=Sampling(temperature=0)), ())
        text = b"the quick brown fox"
        found = []
        for count in steps:
            model.known = count - 1
            place = Place(list(text[:count]), list(text[count : count + 3]), FREE, 0.5)
            found.append(asyncio.run(reading.propose(place, 8)))
        return found

    def test_states_that_come_bit_by_bit_are_those_that_come_at_once(self, tmp_path: Path) -> None:
        weights = HeadWeights.read(self.weights(tmp_path), len(VOCABULARY))
        *_, last = self.guesses(weights, [2, 3, 7, 8, 15])
        [whole] = self.guesses(weights, [15])
        assert len(last) == 1
        assert last[0].token == whole[0].token
        assert last[0].confidence == pytest.approx(whole[0].confidence, rel=1e-4)
        [other] = self.guesses(weights, [12])
        assert other[0].confidence != pytest.approx(whole[0].confidence, rel=1e-4)

    def test_without_states_or_far_from_them_nothing_is_guessed(self, tmp_path: Path) -> None:
        weights = HeadWeights.read(self.weights(tmp_path), len(VOCABULARY))
        assert self.guesses(weights, [1]) == [[]]
        model = self.Model()
        reading = Heads(model, weights).open(Job(()), ())
        for known, count in ((4, 1), (3, 0)):
            model.known = known
            place = Place(list(range(20)), (), FREE, 0.5)
            assert len(asyncio.run(reading.propose(place, 8))) == count
            reading = Heads(model, weights).open(Job(()), ())

    def test_guesses_are_drawn_under_the_rule(self, tmp_path: Path) -> None:
        weights = HeadWeights.read(self.weights(tmp_path), len(VOCABULARY))
        masker = Masker(compile(ir.Grammar({"s": ir.one_of("xyz")}, "s")), VOCABULARY)
        model = self.Model()
        model.known = 2
        drawn = set()
        for number in range(20):
            reading = Heads(model, weights).open(Job((), masker), ())
            place = Place([1, 2, 3], (), Constrained(masker, 3, False), number / 20)
            drawn |= {guess.token for guess in asyncio.run(reading.propose(place, 8))}
        assert drawn <= set(b"xyz")
        assert len(drawn) > 1

    def test_bytes_are_not_guessed(self, tmp_path: Path) -> None:
        weights = HeadWeights.read(self.weights(tmp_path), len(VOCABULARY))
        with pytest.raises(UnsupportedJob, match="heads guess tokens"):
            Heads(self.Model(), weights).open(Job((), byte_mode="full"), b"")

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nonsense", None])
    def test_a_file_that_is_none_is_refused(self, tmp_path: Path, content: bytes | None) -> None:
        file = tmp_path / "draft_heads.npz"
        if content is None:
            np.savez(file, heads=2)
        else:
            file.write_bytes(content)
        with pytest.raises(UnreadableHeads, match="expected draft heads"):
            HeadWeights.read(file, len(VOCABULARY))
        with pytest.raises(UnreadableHeads, match="260 tokens where the model has 99"):
            HeadWeights.read(self.weights(tmp_path), 99)


def test_the_shipped_heads_spare_most_passes() -> None:
    class Eager(Pace):
        def asks(self, name: str, chance: float) -> bool:
            return True

        def takes(self, chance: float) -> bool:
            return chance > 0.1

        def pays(self, chances: Sequence[float], width: int) -> bool:
            return True

    model = load("embedded-2k")
    assert isinstance(model, EmbeddedCausal)
    assert model.draft_heads is not None
    vocabulary = model.vocabulary
    heads = Heads(model, HeadWeights.read(model.draft_heads, len(vocabulary)))
    user, end, assistant = (vocabulary.specials[f"<|{n}|>"] for n in ("user", "end", "assistant"))
    passes = {"plain": 0, "heads": 0}
    for item in islice(extraction.items(3, held_out=True), 5):
        masker = Masker(compile(json_schema.parse(item.schema)), vocabulary)
        prompt = (user, *vocabulary.encode(item.text.encode()), end, assistant)
        job = Job(prompt, masker, Sampling(temperature=0), max_tokens=300)
        plain = run(Autoregressive(model), job)
        ahead = run(Autoregressive(model), replace(job, drafters=Chain(heads, pace=Eager())))
        assert ahead.text == plain.text
        passes["plain"] += plain.finish.usage.model_passes
        passes["heads"] += ahead.finish.usage.model_passes
    assert passes["plain"] > 4 * passes["heads"]
    model.close()
