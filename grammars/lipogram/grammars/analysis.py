"""What must be known of every rule before any text is matched: a shortest member."""

from __future__ import annotations

from collections import ChainMap, defaultdict
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush, nsmallest

from lipogram.grammars import ir
from lipogram.grammars.derivatives import Derivatives
from lipogram.grammars.errors import BudgetExceeded, GrammarError
from lipogram.grammars.lowering import children, lower_regular, postorder
from lipogram.grammars.residuals import INFINITE

# Bytes of a shortest member, and the latest-settled rule that it takes: see ShortestMembers.
Measure = tuple[int, int]
_DEAD: Measure = (INFINITE, 0)
_LONGEST = INFINITE - 1  # what is longer than this is still not nothing


def check_depth(root: ir.Expression, max_depth: int) -> None:
    """Raise BudgetExceeded if the expression nests deeper than `max_depth`."""
    level: dict[int, ir.Expression] = {id(root): root}
    for _ in range(max_depth):
        level = {id(child): child for node in level.values() for child in children(node)}
        if not level:
            return
    raise BudgetExceeded(f"the grammar nests expressions deeper than {max_depth} levels")


class ShortestMembers:
    """The shortest member of every rule: a least fixpoint, by worklist.

    Rules are ranked by when their length was last lowered. The member that lowered it takes only
    rules of lower rank, so spelling by lowest rank among equals always comes to an end.
    Raises GrammarError for a reference to a rule that does not exist.
    """

    def __init__(self, grammar: ir.Grammar, derivatives: Derivatives) -> None:
        self._grammar = grammar
        self._derivatives = derivatives
        self._boolean_nodes: dict[int, int] = {}
        self._measures: dict[str, Measure] = dict.fromkeys(grammar.rules, _DEAD)
        self._fixed: dict[int, Measure] = {}  # by id: expressions without references
        self._varying: dict[str, list[ir.Expression]] = {}
        self._parts: dict[str, dict[int, Measure]] = {}
        uses = {name: self._split(name) for name in grammar.rules}
        self._settle(uses)

    def _split(self, name: str) -> list[str]:
        """Measure what does not depend on other rules, once; the rules that the rest refers to."""
        varying: list[ir.Expression] = []
        varying_ids: set[int] = set()
        uses: dict[str, None] = {}
        for expression in postorder(self._grammar.rules[name], self._fixed):
            if isinstance(expression, ir.Reference):
                if expression.rule not in self._measures:
                    raise GrammarError(f"rule {name!r} refers to {expression.rule!r}: no such rule")
                uses[expression.rule] = None
            elif varying_ids.isdisjoint(map(id, children(expression))):
                self._fixed[id(expression)] = self._measure(expression, self._fixed)
                continue
            varying.append(expression)
            varying_ids.add(id(expression))
        self._varying[name] = varying
        return list(uses)

    def _settle(self, uses: dict[str, list[str]]) -> None:
        """Lower the lengths until none falls, rules that are used before those that use them."""
        order = {name: index for index, name in enumerate(_depth_first(uses))}
        users: dict[str, list[str]] = defaultdict(list)
        for name, used in uses.items():
            for rule in used:
                users[rule].append(name)
        todo = [(index, name) for name, index in order.items()]
        waiting = set(order)
        rank = 0
        while todo:
            self._derivatives.residuals.check_deadline()
            _, name = heappop(todo)
            waiting.discard(name)
            length = self._measure_parts(name)[id(self._grammar.rules[name])][0]
            if length < self._measures[name][0]:
                rank += 1
                self._measures[name] = (length, rank)
                for user in users[name]:
                    if user not in waiting:
                        waiting.add(user)
                        heappush(todo, (order[user], user))

    @property
    def lengths(self) -> tuple[int, ...]:
        """By rule, in the grammar's order; INFINITE for rules that match nothing."""
        return tuple(length for length, _ in self._measures.values())

    def length(self, rule: str) -> int:
        """The bytes of a shortest member of the rule."""
        return self._measures[rule][0]

    def text(self, rule: str) -> bytes:
        """A shortest member of a rule that has one."""
        pieces: list[bytes] = []
        parts = dict(self._final_parts(rule))
        known = ChainMap(parts, self._fixed)
        todo: list[ir.Expression] = [self._grammar.rules[rule]]
        while todo:
            expression = todo.pop()
            if not known[id(expression)][0]:
                continue  # nothing to spell, however many parts it has
            match expression:
                case ir.Reference(name):
                    parts |= self._final_parts(name)
                    todo.append(self._grammar.rules[name])
                case ir.Sequence(items):
                    todo += reversed(items)
                case ir.Choice(options):
                    todo.append(min(options, key=lambda option: known[id(option)]))
                case ir.Repeat(item, minimum):
                    todo += [item] * minimum
                case ir.Members():
                    todo += reversed(_shortest_members(expression, known))
                case ir.Intersection() | ir.Complement():
                    pieces.append(self._derivatives.shortest(self._boolean_node(expression), bytes))
                case _:
                    pieces.append(
                        self._derivatives.shortest(
                            lower_regular(expression, self._derivatives), bytes
                        )
                    )
        return b"".join(pieces)

    def _final_parts(self, rule: str) -> dict[int, Measure]:
        if rule not in self._parts:
            self._parts[rule] = self._measure_parts(rule)
        return self._parts[rule]

    def _measure_parts(self, rule: str) -> dict[int, Measure]:
        """The measures of all parts of a rule that depend on other rules, and of its body."""
        values: dict[int, Measure] = {}
        known = ChainMap(values, self._fixed)
        for expression in self._varying[rule]:
            values[id(expression)] = self._measure(expression, known)
        body = id(self._grammar.rules[rule])
        values[body] = known[body]
        return values

    def _measure(self, expression: ir.Expression, values: Mapping[int, Measure]) -> Measure:
        match expression:
            case ir.Literal(text):
                return len(text), 0
            case ir.Bytes(mask):
                return (1, 0) if mask else _DEAD
            case ir.Chars(ranges):
                return (len(chr(ranges[0][0]).encode()), 0) if ranges else _DEAD
            case ir.Literals(texts):
                return min(map(len, texts), default=INFINITE), 0
            case ir.Sequence(items):
                measures = [values[id(item)] for item in items]
                length = sum(length for length, _ in measures)
                if all(part[0] < INFINITE for part in measures):
                    length = min(length, _LONGEST)
                return min(length, INFINITE), max((rank for _, rank in measures), default=0)
            case ir.Choice(options):
                return min((values[id(option)] for option in options), default=_DEAD)
            case ir.Repeat(item, minimum):
                length, rank = values[id(item)]
                if not minimum:
                    return 0, 0
                return (min(minimum * length, _LONGEST) if length < INFINITE else INFINITE), rank
            case ir.Intersection() | ir.Complement():
                return self._derivatives.length(self._boolean_node(expression)), 0
            case ir.Reference(rule):
                return self._measures[rule]
            case ir.Members():
                return _members_measure(expression, values)

    def _boolean_node(self, expression: ir.Expression) -> int:
        node = self._boolean_nodes.get(id(expression))
        if node is None:
            node = self._boolean_nodes[id(expression)] = lower_regular(
                expression, self._derivatives
            )
        return node


def _members_measure(members: ir.Members, values: Mapping[int, Measure]) -> Measure:
    chosen, fillers = _chosen_members(members, values)
    count = len(chosen) + fillers
    parts = [(values[id(members.items[index])], 1) for index in chosen]
    parts += [(values[id(members.others)], fillers), (values[id(members.separator)], count - 1)]
    parts = [(measure, times) for measure, times in parts if times > 0]
    too_many = members.maximum is not None and count > members.maximum
    if too_many or any(length >= INFINITE for (length, _), _ in parts):
        return _DEAD
    length = sum(length * times for (length, _), times in parts)
    return min(length, _LONGEST), max((rank for (_, rank), _ in parts), default=0)


def _chosen_members(members: ir.Members, values: Mapping[int, Measure]) -> tuple[list[int], int]:
    """Of a shortest run, the items' indexes in order, and how many others it has."""
    measures = [values[id(item)] for item in members.items]
    missing = max(members.minimum - len(members.required), 0)
    optional = (
        index
        for index, measure in enumerate(measures)
        if index not in members.required and measure <= values[id(members.others)]
    )
    best = nsmallest(missing, optional, key=measures.__getitem__)
    return sorted([*members.required, *best]), missing - len(best)


def _shortest_members(members: ir.Members, values: Mapping[int, Measure]) -> list[ir.Expression]:
    """The parts of a shortest run, in order; others of no length are left out."""
    chosen, fillers = _chosen_members(members, values)
    parts = [part for index in chosen for part in (members.separator, members.items[index])]
    filler = (members.separator, members.others)
    if any(values[id(part)][0] for part in filler):
        parts += filler * fillers
    return parts[1:]


def _depth_first(uses: Mapping[str, Iterable[str]]) -> list[str]:
    """The rules, each after the ones it uses, as far as cycles allow."""
    order: list[str] = []
    seen: set[str] = set()
    for root in uses:
        stack = [(root, False)]
        while stack:
            name, is_done = stack.pop()
            if is_done:
                order.append(name)
            elif name not in seen:
                seen.add(name)
                stack.append((name, True))
                stack += [(used, False) for used in uses[name]]
    return order
