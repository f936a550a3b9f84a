"""Reading a pattern of one dialect into its syntax tree, without recursion."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from lipogram.grammars import regex_classes as classes
from lipogram.grammars.errors import BudgetExceeded
from lipogram.grammars.regex_escapes import CharacterReader, Dialect
from lipogram.grammars.regex_syntax import (
    NOTHING_TO_MATCH,
    Alternation,
    Anchor,
    Assertion,
    Boundary,
    Characters,
    Concatenation,
    Edge,
    Look,
    Node,
    Quantified,
)

MAX_PATTERN_BYTES = 64 * 1024
MAX_GROUP_DEPTH = 100
MAX_REPEATS = 10**6

_COUNT = re.compile(r"\{\s*([0-9]*)\s*(,?)\s*([0-9]*)\s*\}", re.ASCII)
_NAME = re.compile(r"[^\W\d]\w*")
_FLAGS_GROUP = re.compile(r"\(\?([a-zA-Z]*)(-[a-zA-Z]+)?([:)])")


@dataclass(slots=True)
class _Group:
    """A group being read: what it will become, and the flags to go back to after it."""

    kind: Literal["plain", "look"]
    opened: int
    flags: frozenset[str]
    behind: bool = False
    negated: bool = False
    options: list[Node] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)

    def close(self) -> Node:
        self.options.append(_concatenation(self.items))
        return self.options[0] if len(self.options) == 1 else Alternation(tuple(self.options))


def _concatenation(items: list[Node]) -> Node:
    return items[0] if len(items) == 1 else Concatenation(tuple(items))


class _Parser(CharacterReader):
    def __init__(self, pattern: str, dialect: Dialect, flags: frozenset[str]) -> None:
        super().__init__(pattern, dialect)
        self.use(flags)
        self.groups = [_Group("plain", 0, flags)]
        self.quantifiable = False
        self.breaks: classes.Ranges = ((0x0A, 0x0A),)
        if dialect == "ecma":
            self.breaks = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029))

    def use(self, flags: frozenset[str]) -> None:
        """Puts these flags in force."""
        self.flags = flags
        self.ignore_case = "i" in flags
        self.ascii = self.dialect == "ecma" or "a" in flags

    def parse(self) -> Node:
        while self.position < len(self.pattern):
            self._step(self.pattern[self.position])
        if len(self.groups) > 1:
            raise self.error("expected ')' to close the group", self.groups[-1].opened)
        return self.groups[0].close()

    def _add(self, node: Node, *, quantifiable: bool = True) -> None:
        self.groups[-1].items.append(node)
        self.quantifiable = quantifiable

    def _step(self, character: str) -> None:
        self.position += 1
        if character == "(":
            self._open()
        elif character == ")":
            self._close()
        elif character == "|":
            group = self.groups[-1]
            group.options.append(_concatenation(group.items))
            group.items = []
            self.quantifiable = False
        elif character in "*+?" or (character == "{" and self._is_count()):
            self._quantify(character)
        elif character == "\\":
            self._escape()
        elif character == "[":
            self._add(Characters(self.bracket()))
        elif character in "^$":
            anchor = Anchor(self._edge(character), self.breaks)
            self._add(anchor, quantifiable=self.dialect == "python")
        elif character == ".":
            self._add(Characters(self._dot()))
        elif "x" in self.flags and (character in " \t\n\r\f\v" or character == "#"):
            if character == "#":
                end = self.pattern.find("\n", self.position)
                self.position = len(self.pattern) if end < 0 else end + 1
        else:
            point = ord(character)
            self._add(Characters(self.folded(classes.union(((point, point),)))))

    def _edge(self, character: str) -> Edge:
        if "m" in self.flags:
            return "line_start" if character == "^" else "line_end"
        if character == "^":
            return "text_start"
        return "last_line_end" if self.dialect == "python" else "text_end"

    def _dot(self) -> classes.Ranges:
        if "s" in self.flags:
            return classes.EVERY
        return classes.negate(self.breaks)

    def _escape(self) -> None:
        letter = self.pattern[self.position : self.position + 1]
        edges: dict[str, Edge] = {}
        if self.dialect == "python":
            edges = {"A": "text_start", "Z": "text_end"}
        elif self.dialect == "rust":
            edges = {"A": "text_start", "z": "text_end"}
        if letter in edges:
            self.position += 1
            self._add(Anchor(edges[letter], self.breaks), quantifiable=False)
        elif letter in ("b", "B"):
            self.position += 1
            self._add(Boundary(self.word(), letter == "B"), quantifiable=False)
        else:
            self._add(Characters(self.folded(self.escape(in_class=False))))

    def _open(self) -> None:
        start = self.position - 1
        if len(self.groups) > MAX_GROUP_DEPTH:
            raise BudgetExceeded(
                f"groups are nested deeper than {MAX_GROUP_DEPTH}", line=1, column=start + 1
            )
        group = _Group("plain", start, self.flags)
        if self.take("?"):
            if self.take("#"):
                if self.dialect != "python":
                    raise self.error("expected a group of the dialect, found a comment", start)
                self.until(")", "the comment")
                return
            if not self._extension(group, start):
                return
        self.groups.append(group)
        self.quantifiable = False

    def _extension(self, group: _Group, start: int) -> bool:
        """Reads what follows `(?`; False where it only sets flags and opens no group."""
        for opening, behind, negated in (
            ("<=", True, False), ("<!", True, True), ("=", False, False), ("!", False, True),
        ):  # fmt: skip
            if self.take(opening):
                if self.dialect == "rust":
                    raise self.error("the rust dialect has no lookaround", start)
                group.kind, group.behind, group.negated = "look", behind, negated
                return True
        if self.take(":"):
            return True
        if self.take("P=") or self.peek("("):
            raise self.unsupported("backreferences are not regular", start)
        if self.take(">"):
            raise self.unsupported("atomic groups are not compiled", start)
        if self.take("P<") or (self.dialect != "python" and self.take("<")):
            name = self.until(">", "the group name")
            if not _NAME.fullmatch(name):
                raise self.error(f"expected a group name, found {name!r}", start)
            return True
        return self._inline_flags(group, start)

    def _inline_flags(self, group: _Group, start: int) -> bool:
        found = _FLAGS_GROUP.match(self.pattern, start)
        allowed = {"python": "aiLmsux", "ecma": "ims", "rust": "imsUuxR"}[self.dialect]
        if not found or not set(found[1] + (found[2] or "")[1:]) <= set(allowed):
            raise self.error("expected a group of the dialect after '(?'", start)
        if set("LR") & set(found[1]):
            raise self.unsupported("the flags L and R are not compiled", start)
        added, removed = set(found[1]), set((found[2] or "")[1:])
        if "u" in removed:
            raise self.unsupported("switching Unicode off is not compiled", start)
        if found[3] == ")" and self.dialect == "python" and start > 0:
            raise self.error("expected global flags at the start of the pattern", start)
        self.position = found.end()
        self.use((self.flags | added) - removed - {"u", "U"})
        return found[3] == ":"

    def _close(self) -> None:
        if len(self.groups) == 1:
            raise self.error("expected no ')' without its '('", self.position - 1)
        group = self.groups.pop()
        node = group.close()
        self.use(group.flags)
        if group.kind == "look":
            looked = Look(node, group.behind, group.negated, group.opened + 1)
            self._add(looked, quantifiable=not group.behind)
        else:
            self._add(node)

    def _is_count(self) -> bool:
        found = _COUNT.match(self.pattern, self.position - 1)
        well_formed = found is not None and (
            found[1] != "" or (found[2] != "" and self.dialect == "python")
        )
        if not well_formed and self.dialect == "rust":
            raise self.error("expected a repetition count after '{'", self.position - 1)
        if found and self.dialect != "rust" and " " in found[0]:
            return False
        return well_formed

    def _bounds(self, character: str) -> tuple[int, int | None]:
        if character != "{":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[character]
        start = self.position - 1
        found = _COUNT.match(self.pattern, start)
        assert found is not None
        self.position = found.end()
        if max(len(found[1]), len(found[3])) > 9 or int(found[3] or found[1] or 0) > MAX_REPEATS:
            raise BudgetExceeded(f"a count is above {MAX_REPEATS}", line=1, column=start + 1)
        minimum = int(found[1] or 0)
        maximum = (int(found[3]) if found[3] else None) if found[2] else minimum
        if maximum is not None and maximum < minimum:
            raise self.error("expected the lower count first", start)
        if minimum > MAX_REPEATS:
            raise BudgetExceeded(f"a count is above {MAX_REPEATS}", line=1, column=start + 1)
        return minimum, maximum

    def _quantify(self, character: str) -> None:
        start = self.position - 1
        minimum, maximum = self._bounds(character)
        if not self.quantifiable or not self.groups[-1].items:
            raise self._nothing_to_repeat(character, start)
        if self.peek("+") and self.dialect == "python":
            raise self.unsupported("possessive quantifiers are not compiled", start)
        self.take("?")
        item = self.groups[-1].items[-1]
        if isinstance(item, Assertion):
            self.groups[-1].items[-1] = item if minimum else NOTHING_TO_MATCH
        else:
            self.groups[-1].items[-1] = Quantified(item, minimum, maximum)
        self.quantifiable = self.dialect == "rust"

    def _nothing_to_repeat(self, character: str, start: int) -> Exception:
        return self.error(f"expected something to repeat before {character!r}", start)


def read(pattern: str, dialect: Dialect, flags: frozenset[str]) -> Node:
    """The syntax tree of a pattern.

    Raises GrammarError where the pattern is malformed in the dialect, Unsupported for what is not
    regular, BudgetExceeded beyond the caps above. Time is linear in the pattern, but for brackets.
    """
    if len(pattern) > MAX_PATTERN_BYTES:
        _too_long(len(pattern))
    return _Parser(pattern, dialect, flags).parse()


def _too_long(length: int) -> NoReturn:
    raise BudgetExceeded(
        f"the pattern has {length} characters, more than {MAX_PATTERN_BYTES}", line=1, column=1
    )
