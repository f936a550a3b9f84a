"""The output as it becomes final: chunks, and what ends it: stop strings, or a repeated suffix."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from lipogram.decoding import echo
from lipogram.decoding.events import Chunk, ScoredToken


class Output:
    """Holds text back while it may still turn out to be the beginning of a stop string.

    The output ends before the stop string that is complete first, byte by byte, whatever the
    tokens; of those complete at the same byte, before the longest. Matches may span tokens.
    """

    def __init__(self, stop: Sequence[bytes] = (), suffix: bytes = b"") -> None:
        """With `suffix`, what it opens with (`echo.opening`) ends the output like a stop string.

        Raises ValueError for an empty stop string, which would be met everywhere.
        """
        if not all(stop):
            raise ValueError("expected stop strings of at least one byte, found an empty one")
        self.stopped: bytes | None = None
        self._echo = echo.opening(suffix)
        self._stop = (*stop, self._echo) if self._echo else tuple(stop)
        self._held = bytearray()
        self._may_end: list[bool] = []  # for each held byte: may the output end before it?
        self._received = 0
        self._tokens: deque[tuple[ScoredToken, int]] = deque()  # with the end of their text

    def push(
        self, text: bytes, token: ScoredToken | None = None, may_end: Sequence[bool] | None = None
    ) -> Chunk | None:
        """Add a token's text; returns what has become final, if anything.

        `may_end[i]` tells whether the output may end before byte i (None: everywhere). After
        this `stopped` is the stop string that was met, if one was: the output is then over.
        """
        self._held += text
        self._may_end.extend(may_end if may_end is not None else [True] * len(text))
        self._received += len(text)
        if token is not None:
            self._tokens.append((token, self._received))
        met = self._met()
        if met is not None:
            begin, self.stopped = met
            return self._release(begin)
        return self._release(len(self._held) - self._longest_beginning())

    def flush(self) -> Chunk | None:
        """The rest, when nothing more comes; without text where only special tokens are left.

        A suffix that was repeated up to the end of a line is not part of it.
        """
        rest = self._release(len(self._held) - self._repeated())
        if rest is None and self._tokens:
            rest = Chunk(b"", tuple(token for token, _ in self._tokens))
            self._tokens.clear()
        return rest

    def _met(self) -> tuple[int, bytes] | None:
        """Where the stop string that is complete first begins."""
        found: list[tuple[int, int, bytes]] = []
        for stop in self._stop:
            begin = self._held.find(stop)
            while begin >= 0 and not self._may_end[begin]:
                begin = self._held.find(stop, begin + 1)
            if begin >= 0:
                found.append((begin + len(stop), begin, stop))
        if not found:
            return None
        _, begin, stop = min(found)
        return begin, stop

    def _longest_beginning(self) -> int:
        """How many of the last bytes may be the beginning of a stop string."""
        size = len(self._held)
        longest = 0
        for stop in self._stop:
            for length in range(min(len(stop) - 1, size), longest, -1):
                if self._may_end[size - length] and self._held.endswith(stop[:length]):
                    longest = length
                    break
        return longest

    def _repeated(self) -> int:
        """How many bytes at the very end are the suffix's opening without its line break."""
        whole = self._echo.removesuffix(b"\n") if self._echo else b""
        if not whole or not self._held.endswith(whole):
            return 0
        return len(whole) if self._may_end[-len(whole)] else 0

    def _release(self, length: int) -> Chunk | None:
        if not length:
            return None
        text = bytes(self._held[:length])
        del self._held[:length], self._may_end[:length]
        final = self._received - len(self._held)
        tokens = []
        while self._tokens and self._tokens[0][1] <= final:
            tokens.append(self._tokens.popleft()[0])
        return Chunk(text, tuple(tokens))
