"""From states to reaches: which residuals a token can meet, and at which nodes of the trie.

A *part* is a residual and the place that it returns to. What must be found is at which regions each
part stands. Regions have numbers while a mask is made, so that they go from part to part as bit
sets, and what many parts do alike is done once.
"""

from __future__ import annotations

import numpy as np

from lipogram.decoding.reaches.exploring import (
    reach_of,
)
from lipogram.decoding.reaches.layout import (
    CROSSINGS,
    DONE,
    FRESH,
    H_COMPLETE,
    H_CROSSING,
    IMAGE,
    LINK_COUNT,
    LINKS,
    MEETING,
    NOWHERE,
    NUMBERED,
    ONLY_NAMELESS,
    P_IS_QUEUED,
    P_PLACE,
    P_RESIDUAL,
    PART_WIDTH,
    PARTS,
    PLACE_WIDTH,
    PLACES,
    QUEUE,
    QUEUED,
    REACH_ROWS,
    REACH_WIDTH,
    REACHED,
    REGION,
    REGION_BYTES,
    RELEVANT,
    RESIDUAL_WIDTH,
    RESIDUALS,
    RETURNED,
    S_CALLS,
    S_CHECKED,
    S_NODE,
    SOME,
    STANDING,
    UNREAD,
    W_CALLERS,
    W_FRAME,
    WAITING,
    WHOLE,
    WIDTH,
)
from lipogram.decoding.reaches.numbered import (
    number_of_part,
    number_of_place,
    number_of_region,
    used_words,
)
from lipogram.decoding.reaches.numbering import (
    number,
    start_numbering,
)
from lipogram.decoding.reaches.residuals import (
    calls_of,
    edges_only,
    know_first_bytes,
)
from lipogram.grammars.engine.bytesets import (
    lowest_bit,
)
from lipogram.grammars.engine.layout import (
    CALL_END,
    CALL_START,
    CALLER_END,
    CALLER_START,
    CALLERS,
    CALLS,
    EMPTY,
    FIRSTS,
    FRAME_WIDTH,
    FRAMES,
    ITEMS,
    NOTHING,
    R_FLAGS,
    ROOT,
    RULE_WIDTH,
    RULES,
    S_END,
    S_START,
    SKIPPABLE,
    STATE_WIDTH,
    STATES,
)
from lipogram.grammars.engine.memory import Memory, burn, get, get_word, put, put_word, reserve
from lipogram.grammars.engine.nodes import (
    field,
    is_nullable,
)
from lipogram.grammars.engine.programs import (
    body_of,
)
from lipogram.grammars.kernels import kernel


@kernel
def find_parts(m: Memory, v: Memory, state: int) -> int:
    """The reaches whose union is what a state allows, to REACHED; their number.

    A residual that can end within a token hands over to those that wait in its frame. One that may
    begin with rules is taken apart, so that what they do is found out once for all callers.
    """
    v[WIDTH] = max(v[WIDTH], 1)
    while not _has_found_parts(m, v, state):
        v[WIDTH] *= 2  # more regions than a bit set has room for
    return v[NUMBERED + MEETING]


@kernel
def _has_found_parts(m: Memory, v: Memory, state: int) -> bool:
    start_numbering(v)
    v[LINK_COUNT] = v[QUEUED] = 0
    reserve(v, IMAGE, 8 * v[WIDTH])
    for word in range(v[WIDTH]):
        put_word(v, IMAGE, word, np.uint64(0))
    number_of_region(v, WHOLE)
    at = state * STATE_WIDTH
    for index in range(get(m, STATES, at + S_START), get(m, STATES, at + S_END)):
        node, frame = get(m, ITEMS, 2 * index), get(m, ITEMS, 2 * index + 1)
        _stand(m, v, number_of_part(m, v, node, number_of_place(v, frame, 0)), 0, np.uint64(1))
    position = 0
    while position < v[QUEUED]:
        part = get(v, QUEUE, position)
        position += 1
        put(v, PARTS, PART_WIDTH * part + P_IS_QUEUED, 0)
        for word in range(used_words(v)):
            bits = get_word(v, FRESH, v[WIDTH] * part + word)
            if bits != np.uint64(0):
                put_word(v, FRESH, v[WIDTH] * part + word, np.uint64(0))
                if not _go_on(m, v, part, word, bits):
                    return False
        _return_image(m, v, get(v, PARTS, PART_WIDTH * part + P_PLACE))
    return True


# How regions go from part to part.


@kernel
def _stand(m: Memory, v: Memory, part: int, word: int, bits: np.uint64) -> None:
    """Let a part stand at those of some regions at which it can go on."""
    at = v[WIDTH] * part + word
    bits &= ~get_word(v, DONE, at)
    if bits == np.uint64(0):
        return
    residual = get(v, PARTS, PART_WIDTH * part + P_RESIDUAL)
    if get(v, RESIDUALS, RESIDUAL_WIDTH * residual + S_CHECKED) < v[NUMBERED + REGION]:
        _check_regions(m, v, residual)
    bits &= get_word(v, RELEVANT, v[WIDTH] * residual + word)
    if bits == np.uint64(0):
        return
    put_word(v, DONE, at, get_word(v, DONE, at) | bits)
    put_word(v, FRESH, at, get_word(v, FRESH, at) | bits)
    if not get(v, PARTS, PART_WIDTH * part + P_IS_QUEUED):
        put(v, PARTS, PART_WIDTH * part + P_IS_QUEUED, 1)
        reserve(v, QUEUE, 4 * (v[QUEUED] + 1))
        put(v, QUEUE, v[QUEUED], part)
        v[QUEUED] += 1


@kernel
def _check_regions(m: Memory, v: Memory, residual: int) -> None:
    """Find out at which of the new regions a residual can go on, or end."""
    at = RESIDUAL_WIDTH * residual
    node = get(v, RESIDUALS, at + S_NODE)
    may_end = is_nullable(m, node)
    regions = min(v[NUMBERED + REGION], 64 * v[WIDTH])
    if not may_end and regions > 1:
        know_first_bytes(m, node)
    for region in range(get(v, RESIDUALS, at + S_CHECKED), regions):
        common = np.uint64(may_end or region == 0)
        if common == np.uint64(0):
            other = 4 * get(v, STANDING, region)
            for index in range(4):
                first = get_word(m, FIRSTS, 4 * node + index)
                common |= first & get_word(v, REGION_BYTES, other + index)
        if common != np.uint64(0):
            word = v[WIDTH] * residual + (region >> 6)
            bit = np.uint64(1) << np.uint64(region & 63)
            put_word(v, RELEVANT, word, get_word(v, RELEVANT, word) | bit)
    burn(m, regions - get(v, RESIDUALS, at + S_CHECKED))
    put(v, RESIDUALS, at + S_CHECKED, regions)


@kernel
def _return(m: Memory, v: Memory, place: int, word: int, bits: np.uint64) -> None:
    """Let what waits in a place stand at some regions."""
    at = v[WIDTH] * place + word
    returned = get_word(v, RETURNED, at)
    bits &= ~returned
    place_at = PLACE_WIDTH * place
    frame = get(v, PLACES, place_at + W_FRAME)
    if bits == np.uint64(0) or frame == ROOT:
        return
    put_word(v, RETURNED, at, returned | bits)
    if get(v, PLACES, place_at + W_CALLERS) == UNREAD:
        put(v, PLACES, place_at + W_CALLERS, 0)
        start = get(m, FRAMES, frame * FRAME_WIDTH + CALLER_START)
        for index in range(start, get(m, FRAMES, frame * FRAME_WIDTH + CALLER_END)):
            outer = number_of_place(v, get(m, CALLERS, 2 * index + 1), 0)
            _link(v, place, number_of_part(m, v, get(m, CALLERS, 2 * index), outer))
    entry = get(v, PLACES, place_at + W_CALLERS)
    while entry:
        burn(m, 1)
        _stand(m, v, get(v, LINKS, 2 * entry), word, bits)
        entry = get(v, LINKS, 2 * entry + 1)


@kernel
def _link(v: Memory, place: int, part: int) -> None:
    """Let a part wait in a place."""
    entry = v[LINK_COUNT] + 1
    reserve(v, LINKS, 8 * (entry + 1))
    put(v, LINKS, 2 * entry, part)
    put(v, LINKS, 2 * entry + 1, get(v, PLACES, PLACE_WIDTH * place + W_CALLERS))
    put(v, PLACES, PLACE_WIDTH * place + W_CALLERS, entry)
    v[LINK_COUNT] = entry


@kernel
def _return_image(m: Memory, v: Memory, place: int) -> None:
    """Return to a place at the regions in IMAGE, which is empty then."""
    for word in range(used_words(v)):
        bits = get_word(v, IMAGE, word)
        if bits != np.uint64(0):
            put_word(v, IMAGE, word, np.uint64(0))
            _return(m, v, place, word, bits)


# What parts do at regions.


@kernel
def _go_on(m: Memory, v: Memory, part: int, word: int, bits: np.uint64) -> bool:
    """Go on with a part at regions at which it has not been; False if there are too many."""
    at = PART_WIDTH * part
    residual, place = get(v, PARTS, at + P_RESIDUAL), get(v, PARTS, at + P_PLACE)
    at = RESIDUAL_WIDTH * residual
    node = get(v, RESIDUALS, at + S_NODE)
    calls = get(v, RESIDUALS, at + S_CALLS)
    if calls == UNREAD:
        calls = calls_of(m, node)
        put(v, RESIDUALS, at + S_CALLS, calls)
    apart = np.uint64(0)
    if calls == ONLY_NAMELESS:
        apart = bits
    elif calls == SOME and word == 0:
        apart = bits & np.uint64(1)  # the whole trie
    if apart != np.uint64(0):
        if is_nullable(m, node):
            put_word(v, IMAGE, word, get_word(v, IMAGE, word) | apart)
        for index in range(field(m, node, CALL_START), field(m, node, CALL_END)):
            rule, rest = get(m, CALLS, 2 * index), get(m, CALLS, 2 * index + 1)
            _call(m, v, rule, rest, place, word, apart)
        edges = edges_only(m, node)
        if edges != NOTHING and not _meet(m, v, edges, word, apart):
            return False
    return _meet(m, v, node, word, bits & ~apart)


@kernel
def _meet(m: Memory, v: Memory, node: int, word: int, bits: np.uint64) -> bool:
    """Use the reaches of a residual at regions: what they cross to goes to IMAGE."""
    one = np.uint64(1)
    while bits != np.uint64(0):
        region = 64 * word + lowest_bit(bits)
        bits &= bits - one
        burn(m, 1)
        count = v[NUMBERED + MEETING]
        found = number(v, MEETING, node, region)
        if found == count:
            reach = reach_of(m, v, node, get(v, STANDING, region))
            reserve(v, REACHED, 4 * (found + 1))
            reserve(v, CROSSINGS, 4 * (found + 1))
            put(v, REACHED, found, reach)
            crossing = get(v, REACH_ROWS, reach * REACH_WIDTH + H_CROSSING)
            number_of_it = number_of_region(v, crossing) if crossing != NOWHERE else 0
            if number_of_it < 0:
                return False
            is_complete = get(v, REACH_ROWS, reach * REACH_WIDTH + H_COMPLETE)
            put(v, CROSSINGS, found, 2 * number_of_it + is_complete)
        crossing = get(v, CROSSINGS, found)
        if crossing & 1:
            put_word(v, IMAGE, word, get_word(v, IMAGE, word) | one << np.uint64(region & 63))
        crossing >>= 1
        if crossing:
            at = crossing >> 6
            put_word(v, IMAGE, at, get_word(v, IMAGE, at) | one << np.uint64(crossing & 63))
    return True


@kernel
def _call(
    m: Memory, v: Memory, rule: int, rest: int, place: int, word: int, bits: np.uint64
) -> None:
    """Go on at regions with a rule and then the rest."""
    body = body_of(m, rule)
    waiting = number_of_part(m, v, rest, place)
    if get(m, RULES, rule * RULE_WIDTH + R_FLAGS) & SKIPPABLE:
        _stand(m, v, waiting, word, bits)
    if rest == EMPTY:
        _stand(m, v, number_of_part(m, v, body, place), word, bits)
        return
    while bits != np.uint64(0):
        bit = bits & (~bits + np.uint64(1))
        bits &= ~bit
        own = number_of_place(v, -1 - rule, 64 * word + lowest_bit(bit))
        count = v[NUMBERED + WAITING]
        if number(v, WAITING, own, waiting) == count:
            burn(m, 1)
            _link(v, own, waiting)
            # What returns where it was called was empty: the rule is skipped there.
            at = v[WIDTH] * own
            put_word(v, RETURNED, at + word, get_word(v, RETURNED, at + word) & ~bit)
            for index in range(used_words(v)):
                _stand(m, v, waiting, index, get_word(v, RETURNED, at + index))
            put_word(v, RETURNED, at + word, get_word(v, RETURNED, at + word) | bit)
        _stand(m, v, number_of_part(m, v, body, own), word, bit)
