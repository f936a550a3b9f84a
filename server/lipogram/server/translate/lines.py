"""Where an editor wants a middle to end: at a line that is indented less, or after some time."""

from __future__ import annotations

_BLANK = b" \t\r"


class LineLimit:
    """Cuts a text before its first line that is indented by fewer than `least` characters.

    The line in which the text begins does not count, nor do empty lines; they are held back until
    a line that counts has come.
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._held = b""
        self.is_over = False

    def feed(self, text: bytes) -> bytes:
        """What is known to stay."""
        if not self._least:
            return text
        if self.is_over:
            return b""
        data, self._held = self._held + text, b""
        begin = data.find(b"\n")
        while begin >= 0:
            line = len(data) - len(data[begin + 1 :].lstrip(b"\n"))
            indent = len(data[line:]) - len(data[line:].lstrip(_BLANK))
            next_byte = data[line + indent : line + indent + 1]
            if not next_byte and indent < self._least:
                self._held = data[begin:]
                return data[:begin]
            if next_byte and next_byte != b"\n" and indent < self._least:
                self.is_over = True
                return data[:begin]
            begin = line + indent if next_byte == b"\n" else data.find(b"\n", line)
        return data

    def end(self) -> bytes:
        """What was held back, where nothing more comes."""
        held, self._held = self._held, b""
        return b"" if self.is_over else held
