"""What lexing by maximal munch means, by running all parses of a text side by side.

Nothing of the engine is used: rules are rewritten on stacks, lexemes by derivatives (Brzozowski
1964). For grammars without left recursion and without rules that match nothing.
"""

from __future__ import annotations

from functools import cache

from lipogram.grammars import ir

ANY = ir.Repeat(ir.Bytes((1 << 256) - 1))


class Munch:
    """The texts of a grammar whose rules in `grammar.lexemes` are munched."""

    def __init__(self, grammar: ir.Grammar) -> None:
        self.grammar = grammar

    def verdict(self, text: bytes) -> str:
        """`member`, `begun` for what can be read so far, or `no`."""
        parses = self._closed({(ir.Reference(self.grammar.start),)})
        refused: frozenset[int] = frozenset()
        free = parses
        for byte in text:
            allowed = free if byte in refused else parses | free
            stepped = {after for stack in allowed for after in _step(stack, byte)}
            going = {stack for stack in stepped if stack and isinstance(stack[0], _Going)}
            ended = {stack[1:] for stack in going if nullable(stack[0].rest)}
            refused = frozenset(b for stack in going for b in goes_on(stack[0].rest))
            free = self._closed(stepped - going) | going
            parses = self._closed(ended)
            if not free and not parses:
                return "no"
        return "member" if () in parses | free else "begun"

    def _closed(self, stacks: set) -> set:
        """The stacks that begin with what takes a byte, or are done."""
        found, todo, seen = set(), list(stacks), set(stacks)
        while todo:
            stack = todo.pop()
            following = self._expanded(stack)
            if following is None:
                found.add(stack)
                continue
            todo += following - seen
            seen |= following
        return found

    def _expanded(self, stack: tuple) -> set | None:
        if not stack:
            return None
        top, rest = stack[0], stack[1:]
        match top:
            case ir.Reference(rule):
                body = self.grammar.rules[rule]
                return {(_Lexeme(body) if rule in self.grammar.lexemes else body, *rest)}
            case ir.Sequence(items):
                return {(*items, *rest)}
            case ir.Choice(options):
                return {(option, *rest) for option in options}
            case ir.Repeat(item, minimum, maximum):
                if maximum == 0:
                    return {rest}
                fewer = ir.Repeat(item, max(minimum - 1, 0), maximum and maximum - 1)
                return {(item, fewer, *rest)} | (set() if minimum else {rest})
            case ir.Literal(b""):
                return {rest}
        return None


class _Lexeme(tuple):
    """A lexeme that begins here."""

    def __new__(cls, body):
        return super().__new__(cls, ("begins", body))

    @property
    def rest(self):
        return self[1]


class _Going(tuple):
    """A lexeme of which something has been read."""

    def __new__(cls, rest):
        return super().__new__(cls, ("goes on", rest))

    @property
    def rest(self):
        return self[1]


def _step(stack: tuple, byte: int) -> set:
    if not stack:
        return set()
    top, rest = stack[0], stack[1:]
    if isinstance(top, _Lexeme | _Going):
        after = derivative(top.rest, byte)
        return {(_Going(after), *rest)} if is_live(after) else set()
    after = derivative(top, byte)
    return {(after, *rest)} if is_live(after) else set()


@cache
def nullable(e: ir.Expression) -> bool:
    match e:
        case ir.Literal(text):
            return not text
        case ir.Literals(texts):
            return b"" in texts
        case ir.Sequence(items) | ir.Intersection(items):
            return all(map(nullable, items))
        case ir.Choice(options):
            return any(map(nullable, options))
        case ir.Repeat(item, minimum):
            return not minimum or nullable(item)
        case ir.Complement(item):
            return not nullable(item)
    return False


@cache
def derivative(e: ir.Expression, byte: int) -> ir.Expression:
    match e:
        case ir.Literal(text):
            return ir.Literal(text[1:]) if text[:1] == bytes([byte]) else ir.NOTHING
        case ir.Literals(texts):
            return derivative(ir.Choice(tuple(map(ir.Literal, texts))), byte)
        case ir.Bytes(mask):
            return ir.EMPTY if mask >> byte & 1 else ir.NOTHING
        case ir.Chars(ranges):  # of one byte: tests keep to ASCII
            return ir.EMPTY if any(low <= byte <= high for low, high in ranges) else ir.NOTHING
        case ir.Sequence(items):
            rest = ir.Sequence(items[1:]) if len(items) > 2 else items[-1]
            taken = _joined(derivative(items[0], byte), rest)
            return _any(taken, derivative(rest, byte)) if nullable(items[0]) else taken
        case ir.Choice(options):
            return _any(*(derivative(option, byte) for option in options))
        case ir.Repeat(item, minimum, maximum):
            if maximum == 0:
                return ir.NOTHING
            fewer = ir.Repeat(item, max(minimum - 1, 0), maximum and maximum - 1)
            return _joined(derivative(item, byte), fewer)
        case ir.Intersection(items):
            return ir.Intersection(tuple(dict.fromkeys(derivative(i, byte) for i in items)))
        case ir.Complement(item):
            return ir.Complement(derivative(item, byte))
    raise AssertionError(e)


def _joined(first: ir.Expression, second: ir.Expression) -> ir.Expression:
    return ir.NOTHING if first == ir.NOTHING else ir.sequence(first, second)


def _any(*options: ir.Expression) -> ir.Expression:
    return ir.choice(*(option for option in options if option != ir.NOTHING))


@cache
def is_live(e: ir.Expression) -> bool:
    """Whether it has a member, by a search through its derivatives over ASCII."""
    seen, todo = {e}, [e]
    while todo:
        current = todo.pop()
        if nullable(current):
            return True
        for byte in range(128):
            after = derivative(current, byte)
            if after != ir.NOTHING and after not in seen:
                seen.add(after)
                todo.append(after)
    return False


@cache
def goes_on(e: ir.Expression) -> frozenset[int]:
    """The bytes that some member begins with."""
    return frozenset(byte for byte in range(128) if is_live(derivative(e, byte)))
