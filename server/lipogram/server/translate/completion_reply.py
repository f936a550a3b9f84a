"""`/v1/completions`: from events to the answer, whole or in chunks."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from lipogram.decoding.events import Chunk, Event, Finish, FinishReason, ScoredToken, Usage
from lipogram.server.sse import Characters
from lipogram.server.translate.denoising import canvas
from lipogram.server.translate.sampling import evidence
from lipogram.server.translate.scores import CompletionScores, usage
from lipogram.server.translate.unconstrained import Dropped, unconstrained
from lipogram.server.wire.completions import (
    CompletionChoice,
    CompletionLogprobs,
    CompletionReply,
)

FINGERPRINT = "lipogram"


class _Choice:
    """One continuation under way."""

    def __init__(self, index: int, is_scored: bool, holes: int) -> None:
        self._index = index
        self._characters = Characters()
        self._scores = CompletionScores() if is_scored else None
        self._fillings = [b""] * holes
        self.finish: Finish | None = None

    def piece(self, event: Event) -> CompletionChoice:
        """What this event adds."""
        if isinstance(event, Chunk):
            if event.hole is not None and self._fillings:
                self._fillings[event.hole] += event.text
            piece = self.echo(event.text, event.tokens)
            if event.sketch is None:
                return piece
            return piece.model_copy(update={"canvas": canvas(event.sketch)})
        self.finish = event
        last = self._choice(self._characters.end(), (), event.reason)
        if event.evidence is not None:
            last = last.model_copy(update={"sampling": evidence(event.evidence)})
        if not self._fillings:
            return last
        texts = [filling.decode(errors="replace") for filling in self._fillings]
        return last.model_copy(update={"fillings": texts})

    def echo(self, data: bytes, tokens: Sequence[ScoredToken]) -> CompletionChoice:
        """A piece of text with its tokens."""
        return self._choice(self._characters.feed(data), tokens, None)

    def _choice(
        self, text: str, tokens: Sequence[ScoredToken], reason: FinishReason | None
    ) -> CompletionChoice:
        scores = self._scores.shape(tokens) if self._scores and tokens else None
        return CompletionChoice(index=self._index, text=text, logprobs=scores, finish_reason=reason)


class CompletionWriter:
    """Turns the events of a request's sequences into the chunks of its answer."""

    def __init__(self, model: str, count: int, n: int, is_scored: bool, holes: int = 0) -> None:
        """`holes` are those of each text."""
        self._id = f"cmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())
        self._model = model
        self._n = n
        self._is_scored = is_scored
        self._choices = [_Choice(index, is_scored, holes) for index in range(count)]
        self.dropped: Dropped = {}

    def echo(self, index: int, data: bytes, tokens: Sequence[ScoredToken]) -> CompletionReply:
        """A chunk with the prompt of the sequence; comes before all its others."""
        return self._reply([self._choices[index].echo(data, tokens)])

    def chunk(self, index: int, event: Event) -> CompletionReply | None:
        """The chunk for an event, None if it shows nothing yet."""
        piece = self._choices[index].piece(event)
        has_text = bool(piece.text) or piece.logprobs is not None
        if not has_text and piece.canvas is None and piece.finish_reason is None:
            return None
        if piece.finish_reason is not None and index in self.dropped:
            piece = piece.model_copy(update={"unconstrained": unconstrained(self.dropped[index])})
        return self._reply([piece])

    def usage(self) -> CompletionReply:
        """The chunk after the last one, which has the usage alone."""
        return self._reply([]).model_copy(update={"usage": usage(self._used(), self._n)})

    def whole(self, chunks: Sequence[CompletionReply]) -> CompletionReply:
        """All chunks as one answer."""
        pieces: list[list[CompletionChoice]] = [[] for _ in self._choices]
        for chunk in chunks:
            pieces[chunk.choices[0].index].append(chunk.choices[0])
        choices = [_joined(own) for own in pieces]
        if self._is_scored:
            empty = CompletionLogprobs(
                tokens=[], token_logprobs=[], top_logprobs=[], text_offset=[]
            )
            choices = [
                choice if choice.logprobs else choice.model_copy(update={"logprobs": empty})
                for choice in choices
            ]
        return self._reply(choices).model_copy(update={"usage": usage(self._used(), self._n)})

    @property
    def finishes(self) -> list[Finish]:
        """How the sequences that have ended did."""
        return [choice.finish for choice in self._choices if choice.finish is not None]

    def _used(self) -> list[Usage]:
        return [finish.usage for finish in self.finishes]

    def _reply(self, choices: list[CompletionChoice]) -> CompletionReply:
        return CompletionReply(
            id=self._id,
            object="text_completion",
            created=self._created,
            model=self._model,
            system_fingerprint=FINGERPRINT,
            choices=choices,
        )


def _joined(pieces: Sequence[CompletionChoice]) -> CompletionChoice:
    scores = [piece.logprobs for piece in pieces if piece.logprobs is not None]
    joined = CompletionChoice(
        index=pieces[0].index,
        text="".join(piece.text for piece in pieces),
        logprobs=CompletionLogprobs(
            tokens=[token for score in scores for token in score.tokens],
            token_logprobs=[value for score in scores for value in score.token_logprobs],
            top_logprobs=[top for score in scores for top in score.top_logprobs],
            text_offset=[offset for score in scores for offset in score.text_offset],
        )
        if scores
        else None,
        finish_reason=pieces[-1].finish_reason,
    )
    last = pieces[-1]
    told = {name: getattr(last, name) for name in ("unconstrained", "fillings", "sampling")}
    return joined.model_copy(
        update={name: value for name, value in told.items() if value is not None}
    )
