"""Reading the parts of a pattern that stand for one set of characters: escapes and brackets."""

from __future__ import annotations

import unicodedata
from typing import Literal

from lipogram.grammars import regex_classes as classes
from lipogram.grammars.errors import BudgetExceeded, GrammarError, Unsupported
from lipogram.grammars.regex_classes import Ranges

Dialect = Literal["python", "ecma", "rust"]
MAX_BRACKET_DEPTH = 50

_CONTROLS = {"f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09, "v": 0x0B}
_HEX = frozenset("0123456789abcdefABCDEF")
_OCTAL = frozenset("01234567")


class CharacterReader:
    """A cursor over a pattern that reads escapes and bracketed classes of one dialect."""

    def __init__(self, pattern: str, dialect: Dialect) -> None:
        self.pattern = pattern
        self.dialect = dialect
        self.position = 0
        self.brackets = 0
        self.ignore_case = False
        self.ascii = dialect == "ecma"

    def error(self, message: str, position: int | None = None) -> GrammarError:
        """The error to raise for what stands at the position (default: the cursor)."""
        at = self.position if position is None else position
        return GrammarError(message, line=1, column=at + 1)

    def unsupported(self, message: str, position: int) -> Unsupported:
        """The refusal to raise for a construct that starts at the position."""
        return Unsupported(message, line=1, column=position + 1)

    def peek(self, text: str) -> bool:
        """Whether the text stands at the cursor."""
        return self.pattern.startswith(text, self.position)

    def take(self, text: str) -> bool:
        """Steps over the text if it stands at the cursor."""
        if self.peek(text):
            self.position += len(text)
            return True
        return False

    def next(self, expected: str) -> str:
        """The character at the cursor, stepped over; GrammarError at the end."""
        if self.position >= len(self.pattern):
            raise self.error(f"expected {expected}, found the end of the pattern")
        self.position += 1
        return self.pattern[self.position - 1]

    def until(self, end: str, what: str) -> str:
        """The text up to `end`, both stepped over."""
        stop = self.pattern.find(end, self.position)
        if stop < 0:
            raise self.error(f"expected {end!r} to close {what}, found the end of the pattern")
        text = self.pattern[self.position : stop]
        self.position = stop + len(end)
        return text

    def folded(self, ranges: Ranges) -> Ranges:
        """The set as the flags in force read it."""
        if not self.ignore_case:
            return ranges
        return classes.ignore_case(ranges, dotless=self.dialect == "python", ascii_only=self.ascii)

    def word(self) -> Ranges:
        """What `\\w` stands for."""
        if self.ascii:
            return classes.ASCII_WORD
        return classes.rust_word() if self.dialect == "rust" else classes.python_word()

    def _shorthand(self, letter: str) -> Ranges:
        kind = letter.lower()
        if kind == "w":
            ranges = self.word()
        elif kind == "d":
            ranges = classes.ASCII_DIGIT if self.ascii else classes.category("Nd") or ()
        elif self.dialect == "ecma":
            ranges = classes.ECMA_SPACE
        elif self.ascii:
            ranges = classes.ASCII_SPACE
        else:
            ranges = classes.WHITE_SPACE if self.dialect == "rust" else classes.python_space()
        return classes.negate(ranges) if letter.isupper() else ranges

    def escape(self, *, in_class: bool) -> Ranges:
        """The set that the escape at the cursor (after its backslash) stands for."""
        start = self.position - 1
        letter = self.next("a character after the backslash")
        if letter in "dDwWsS":
            return self._shorthand(letter)
        if letter in "pP" and self.dialect != "python":
            return self._property(letter, start)
        point = self._code_point(letter, start, in_class=in_class)
        if 0xD800 <= point <= 0xDFFF:
            return ()
        return ((point, point),)

    def _code_point(self, letter: str, start: int, *, in_class: bool) -> int:
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter == "a" and self.dialect != "ecma":
            return 0x07
        if letter == "b" and in_class and self.dialect != "rust":
            return 0x08
        if letter in "xuU":
            return self._hexadecimal(letter, start)
        if letter == "c" and self.dialect == "ecma":
            control = self.next("a letter after \\c")
            if not (control.isascii() and control.isalpha()):
                raise self.error(f"expected a letter after \\c, found {control!r}", start)
            return ord(control) % 32
        if letter.isdigit():
            return self._digits(letter, start, in_class=in_class)
        if letter == "k" and self.dialect == "ecma":
            raise self.unsupported("backreferences are not regular", start)
        if letter == "N" and self.dialect == "python" and self.take("{"):
            return self._named(start)
        if letter.isascii() and letter.isalpha():
            raise self.error(f"expected an escape of the {self.dialect} dialect, found \\{letter}",
                             start)  # fmt: skip
        return ord(letter)

    def _named(self, start: int) -> int:
        name = self.until("}", "the character name")
        try:
            return ord(unicodedata.lookup(name))
        except (KeyError, TypeError) as error:
            raise self.error(f"expected a character name, found {name!r}", start) from error

    def _digits(self, first: str, start: int, *, in_class: bool) -> int:
        rest = self.pattern[self.position : self.position + 2]
        if self.dialect == "python":
            octal = first
            for digit in rest:
                if digit not in _OCTAL:
                    break
                octal += digit
            if set(octal) <= _OCTAL and (first == "0" or len(octal) == 3 or in_class):
                self.position += len(octal) - 1
                if int(octal, 8) <= 0o377:
                    return int(octal, 8)
                raise self.error(f"expected at most \\377, found \\{octal}", start)
        elif self.dialect == "ecma" and first == "0" and not rest[:1].isdigit():
            return 0
        if first == "0" or in_class:
            raise self.error("octal escapes are not part of the dialect", start)
        raise self.unsupported("backreferences are not regular", start)

    def _hexadecimal(self, letter: str, start: int) -> int:
        if self.dialect != "python" and self.take("{"):
            digits = self.until("}", "the code point")
            if not digits or not set(digits) <= _HEX or int(digits, 16) > 0x10FFFF:
                raise self.error(f"expected a code point in braces, found {digits!r}", start)
            return int(digits, 16)
        if letter == "U" and self.dialect == "ecma":
            raise self.error("expected an escape of the ecma dialect, found \\U", start)
        width = {"x": 2, "u": 4, "U": 8}[letter]
        point = self._hex_digits(width, start)
        if self.dialect == "ecma" and 0xD800 <= point <= 0xDBFF and self.peek("\\u"):
            here = self.position
            self.position += 2
            low = 0 if self.peek("{") else self._hex_digits(4, start)
            if 0xDC00 <= low <= 0xDFFF:
                return 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00)
            self.position = here
        if point > 0x10FFFF:
            raise self.error("expected a code point of at most 10FFFF", start)
        return point

    def _hex_digits(self, width: int, start: int) -> int:
        digits = self.pattern[self.position : self.position + width]
        if len(digits) != width or not set(digits) <= _HEX:
            raise self.error(f"expected {width} hexadecimal digits, found {digits!r}", start)
        self.position += width
        return int(digits, 16)

    def _property(self, letter: str, start: int) -> Ranges:
        name = self.until("}", "the property name") if self.take("{") else ""
        if not name and self.dialect == "rust":
            name = self.next("a property letter")
        inverted = name.startswith("^") and self.dialect == "rust"
        kind, _, value = name.lstrip("^").rpartition("=")
        known: dict[str, Ranges] = {
            "Any": classes.EVERY,
            "ASCII": ((0, 0x7F),),
            "ASCII_Hex_Digit": classes.POSIX["xdigit"],
            "White_Space": classes.WHITE_SPACE,
        }
        if value == "Assigned":
            known["Assigned"] = classes.negate(classes.category("Cn") or ())
        ranges = known.get(value)
        if kind in ("", "gc", "General_Category") and ranges is None:
            ranges = classes.category(value)
        if ranges is None:
            raise self.unsupported(
                f"the character property {name!r} is not known here; general categories are", start
            )
        return classes.negate(ranges) if (letter == "P") != inverted else ranges

    def bracket(self) -> Ranges:
        """The set of the bracketed class at the cursor (after its opening bracket)."""
        start = self.position - 1
        self.brackets += 1
        if self.brackets > MAX_BRACKET_DEPTH:
            raise BudgetExceeded(
                f"classes are nested deeper than {MAX_BRACKET_DEPTH}", line=1, column=start + 1
            )
        negated = self.take("^")
        members: Ranges = ()
        first = True
        while True:
            if self.position >= len(self.pattern):
                raise self.error("expected ']' to close the character class", start)
            if self.peek("]") and not (first and self.dialect != "ecma"):
                self.position += 1
                break
            if self.dialect == "rust" and not first:
                operator = next((op for op in ("&&", "--", "~~") if self.take(op)), "")
                if operator:
                    members = self._combined(members, operator, start)
                    break
            members = classes.union(members, self._class_item())
            first = False
        self.brackets -= 1
        members = self.folded(members)
        return classes.negate(members) if negated else members

    def _combined(self, left: Ranges, operator: str, start: int) -> Ranges:
        """The rest of a Rust class after a set operator; operators apply left to right."""
        while True:
            right: Ranges = ()
            following = ""
            while not following:
                if self.position >= len(self.pattern):
                    raise self.error("expected ']' to close the character class", start)
                following = next((op for op in ("]", "&&", "--", "~~") if self.take(op)), "")
                if not following:
                    right = classes.union(right, self._class_item())
            without = classes.intersect(left, classes.negate(right))
            if operator == "&&":
                left = classes.intersect(left, right)
            elif operator == "--":
                left = without
            else:
                left = classes.union(without, classes.intersect(right, classes.negate(left)))
            if following == "]":
                return left
            operator = following

    def _class_item(self) -> Ranges:
        start = self.position
        low = self._class_atom()
        if not self.peek("-") or self.pattern[self.position + 1 : self.position + 2] in ("]", ""):
            return low
        if self.dialect == "rust" and self.peek("--"):
            return low
        shorthand = len(low) != 1 or low[0][0] != low[0][1]
        if shorthand and not self._surrogate_at(start):
            return low
        self.position += 1
        high_start = self.position
        high = self._class_atom()
        if self._surrogate_at(start) or self._surrogate_at(high_start):
            return self._surrogate_range(start, high_start, low, high)
        if len(high) != 1 or high[0][0] != high[0][1]:
            if self.dialect != "ecma":
                raise self.error("expected one character at the end of the range", high_start)
            return classes.union(low, ((0x2D, 0x2D),), high)
        if low[0][0] > high[0][0]:
            raise self.error("expected a range from a lower to a higher character", start)
        return classes.union(((low[0][0], high[0][0]),))

    def _surrogate_at(self, position: int) -> bool:
        text = self.pattern[position : position + 6]
        return text[:3].lower() in ("\\ud",) and text[3:4].lower() in tuple("89abcdef")

    def _surrogate_range(self, start: int, end: int, low: Ranges, high: Ranges) -> Ranges:
        first = low[0][0] if low else int(self.pattern[start + 2 : start + 6], 16)
        last = high[0][0] if high else int(self.pattern[end + 2 : end + 6], 16)
        return classes.union(((first, last),))

    def _class_atom(self) -> Ranges:
        start = self.position
        character = self.next("a character")
        if character == "\\":
            return self.escape(in_class=True)
        if character == "[" and self.dialect == "rust":
            if self.take(":"):
                inverted = self.take("^")
                name = self.until(":]", "the POSIX class")
                if name not in classes.POSIX:
                    raise self.error(f"expected a POSIX class name, found {name!r}", start)
                ranges = classes.POSIX[name]
                return classes.negate(ranges) if inverted else ranges
            return self.bracket()
        return classes.union(((ord(character), ord(character)),))
