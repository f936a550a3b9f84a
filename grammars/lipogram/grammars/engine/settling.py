"""What must be known of every rule before any text is matched: the length of a shortest member."""

from __future__ import annotations

from lipogram.grammars.engine.expressions import (
    prepare,
)
from lipogram.grammars.engine.interning import residual_state
from lipogram.grammars.engine.layout import (
    F_COUNT,
    F_FIRST,
    F_MAXIMUM,
    F_MINIMUM,
    F_OTHERS_LENGTH,
    F_OTHERS_RANK,
    F_SEPARATOR_LENGTH,
    F_SEPARATOR_RANK,
    F_TOP,
    FAMILIES,
    FAMILY_ITEMS,
    FAMILY_WIDTH,
    FRAME_COUNT,
    FRAME_WIDTH,
    FRAMES,
    G_LENGTH,
    G_NODE,
    G_PROGRAM,
    I_LENGTH,
    I_RANK,
    INFINITE,
    ITEM_WIDTH,
    NAMED_COUNT,
    NOTHING,
    PROGRAM,
    R_FLAGS,
    R_LENGTH,
    R_PROGRAM,
    R_RANK,
    REGISTERS,
    REGULAR_COUNT,
    REGULAR_WIDTH,
    REGULARS,
    ROW_COUNT,
    ROW_OF,
    RULE_WIDTH,
    RULES,
    SKIPPABLE,
    STACK,
    STATE_COUNT,
    STATE_WIDTH,
    STATES,
)
from lipogram.grammars.engine.literals import (
    literals,
)
from lipogram.grammars.engine.memory import Memory, burn, get, put, reserve
from lipogram.grammars.engine.nodes import (
    added,
    multiplied,
)
from lipogram.grammars.engine.programs import (
    ANY,
    CLASS,
    END,
    JOIN,
    JOIN_NAMED,
    KEEP,
    PART,
    REGULAR,
    RUN,
    SKIP,
    TEXT,
    TIMES,
    TIMES_NAMED,
    USE,
    WORDS,
    body_of,
    build,
)
from lipogram.grammars.engine.runs import (
    BEGUN,
    beginning,
    family_field,
    rest_of_run,
    sum_needed,
)
from lipogram.grammars.engine.search import (
    exact_length,
)
from lipogram.grammars.engine.states import expand
from lipogram.grammars.kernels import exported, kernel


@kernel
def _measure(m: Memory, at: int) -> tuple[int, int]:
    """The length and rank of the code from `at` to the rule's end."""
    top = 0
    while True:
        op = get(m, PROGRAM, at)
        burn(m, 1)
        reserve(m, STACK, 8 * (top + 2))
        if op == END:
            return get(m, STACK, 2 * top - 2), get(m, STACK, 2 * top - 1)
        if op == PART:
            at += 1
            continue
        count = get(m, PROGRAM, at + 1)
        length = rank = 0
        if op == TEXT:
            length = count
            at += 2 + count
        elif op == CLASS:
            length = 1
            at += 9
        elif op in (JOIN, JOIN_NAMED):
            for index in range(top - count, top):
                length = added(length, get(m, STACK, 2 * index))
                rank = max(rank, get(m, STACK, 2 * index + 1))
            top -= count
            at += 2
        elif op == ANY:
            length = INFINITE
            for index in range(top - count, top):
                own, own_rank = get(m, STACK, 2 * index), get(m, STACK, 2 * index + 1)
                if own < length or (own == length and own_rank < rank):
                    length, rank = own, own_rank
            top -= count
            at += 2
        elif op in (TIMES, TIMES_NAMED):
            top -= 1
            if count:
                length = multiplied(get(m, STACK, 2 * top), count)
                rank = get(m, STACK, 2 * top + 1)
            at += 3
        elif op == USE:
            length = get(m, RULES, count * RULE_WIDTH + R_LENGTH)
            rank = get(m, RULES, count * RULE_WIDTH + R_RANK)
            at += 2
        elif op == WORDS:
            node = literals(m, count, count + get(m, PROGRAM, at + 2), 0)
            length = exact_length(m, node)
            at += 3
        elif op == REGULAR:
            length = get(m, REGULARS, count * REGULAR_WIDTH + G_LENGTH)
            at += 2
        elif op == SKIP:
            at += 2
            continue
        elif op == RUN:
            top -= family_field(m, count, F_COUNT) + 2
            length, rank = _measure_run(m, count, top)
            at += 2
        elif op == KEEP:
            top -= 1
            length, rank = get(m, STACK, 2 * top), get(m, STACK, 2 * top + 1)
            reserve(m, REGISTERS, 8 * (count + 1))
            put(m, REGISTERS, 2 * count, length)
            put(m, REGISTERS, 2 * count + 1, rank)
            at += 2
        else:  # AGAIN
            length, rank = get(m, REGISTERS, 2 * count), get(m, REGISTERS, 2 * count + 1)
            at += 2
        put(m, STACK, 2 * top, length)
        put(m, STACK, 2 * top + 1, rank)
        top += 1


@kernel
def _measure_run(m: Memory, family: int, top: int) -> tuple[int, int]:
    """The measures of a run from those of its items, others and separator on the stack."""
    count = family_field(m, family, F_COUNT)
    first = family_field(m, family, F_FIRST)
    for index in range(count):
        at = (first + index) * ITEM_WIDTH
        put(m, FAMILY_ITEMS, at + I_LENGTH, get(m, STACK, 2 * (top + index)))
        put(m, FAMILY_ITEMS, at + I_RANK, get(m, STACK, 2 * (top + index) + 1))
    at = family * FAMILY_WIDTH
    put(m, FAMILIES, at + F_OTHERS_LENGTH, get(m, STACK, 2 * (top + count)))
    put(m, FAMILIES, at + F_OTHERS_RANK, get(m, STACK, 2 * (top + count) + 1))
    put(m, FAMILIES, at + F_SEPARATOR_LENGTH, get(m, STACK, 2 * (top + count) + 2))
    put(m, FAMILIES, at + F_SEPARATOR_RANK, get(m, STACK, 2 * (top + count) + 3))
    others, separator = at + F_OTHERS_LENGTH, at + F_SEPARATOR_LENGTH
    maximum, minimum = get(m, FAMILIES, at + F_MAXIMUM), get(m, FAMILIES, at + F_MINIMUM)
    if (
        get(m, FAMILIES, others) == 0
        and get(m, FAMILIES, separator) == 0
        and (maximum < 0 or minimum <= maximum)
    ):
        # Members of no bytes can always make up the number.
        put(m, FAMILIES, at + F_MINIMUM, 0)
        put(m, FAMILIES, at + F_TOP, maximum if maximum > 0 else 0)
    sum_needed(m, family)
    return rest_of_run(m, family, beginning(m, family), 0, BEGUN)


@kernel
def settle(m: Memory) -> None:
    """Measure all rules: lower their lengths, sweeping back and forth, until none falls.

    Rules are ranked by when their length was last lowered. The member that lowered it takes only
    rules of lower rank, so spelling by lowest rank among equals always comes to an end.
    """
    for number in range(m[REGULAR_COUNT]):
        at = number * REGULAR_WIDTH
        if get(m, REGULARS, at + G_NODE) == 0:
            node = build(m, get(m, REGULARS, at + G_PROGRAM))
            length = exact_length(m, node)
            put(m, REGULARS, at + G_LENGTH, length)
            put(m, REGULARS, at + G_NODE, 1 + (NOTHING if length >= INFINITE else node))
    rules = m[NAMED_COUNT]
    for rule in range(rules):
        put(m, RULES, rule * RULE_WIDTH + R_LENGTH, INFINITE)
    rank = 0
    forward = False
    falling = True
    while falling:
        falling = False
        for index in range(rules):
            rule = index if forward else rules - 1 - index
            at = rule * RULE_WIDTH
            length, _ = _measure(m, get(m, RULES, at + R_PROGRAM))
            if length < get(m, RULES, at + R_LENGTH):
                rank += 1
                put(m, RULES, at + R_LENGTH, length)
                put(m, RULES, at + R_RANK, rank)
                falling = True
        forward = not forward
    for rule in range(rules):
        at = rule * RULE_WIDTH
        if get(m, RULES, at + R_LENGTH) == 0:
            put(m, RULES, at + R_FLAGS, get(m, RULES, at + R_FLAGS) | SKIPPABLE)


@exported
def begin(m: Memory, start: int) -> int:
    """Settle the rules that are loaded; the state before the first byte, 0 if nothing matches."""
    prepare(m)
    m[STATE_COUNT] = m[FRAME_COUNT] = m[ROW_COUNT] = 1
    reserve(m, FRAMES, 4 * FRAME_WIDTH)
    reserve(m, STATES, 4 * STATE_WIDTH)
    reserve(m, ROW_OF, 4)
    settle(m)
    if get(m, RULES, start * RULE_WIDTH + R_LENGTH) >= INFINITE:
        return 0
    state = residual_state(m, body_of(m, start))
    expand(m, state)
    return state
