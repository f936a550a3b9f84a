"""Where an editor wants a middle to end: before a line that is indented less than the cursor's."""

from __future__ import annotations

import re

_BREAK = re.compile(rb"\n[ \t\r\n]*")


class LineLimit:
    """Cuts a text before its first line that is indented by fewer than `least` characters.

    The line in which the text begins does not count, nor do blank lines: these are held back until
    a line that counts has come, and cut with it.
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._held = b""
        self.is_over = False

    def feed(self, text: bytes) -> bytes:
        """What is known to stay; nothing once the text is over."""
        if not self._least or self.is_over:
            return b"" if self.is_over else text
        data, self._held = self._held + text, b""
        for match in _BREAK.finditer(data):
            if match.end() == len(data):
                self._held = match[0]
                return data[: match.start()]
            if len(match[0].rpartition(b"\n")[2]) < self._least:
                self.is_over = True
                return data[: match.start()]
        return data

    def end(self) -> bytes:
        """What was held back, where nothing more comes."""
        held, self._held = self._held, b""
        return held
