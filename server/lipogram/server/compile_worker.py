"""The program of a compile worker: reads tasks, answers whether their grammars can be used.

A worker may be killed at any moment, so it owns nothing but its own memory.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from typing import BinaryIO

from lipogram.grammars import Automaton
from lipogram.grammars import compile as compile_grammar
from lipogram.grammars.errors import BudgetExceeded, GrammarError
from lipogram.grammars.warming import warm_up
from lipogram.server import combining, members
from lipogram.server.compile_messages import (
    HEADER_BYTES,
    Compiled,
    Failed,
    Reply,
    Task,
    decode,
    encode,
    length,
)
from lipogram.server.constraints import Constraint, Source

# Front-ends that build a parser of their own when they are first used.
_FIRST_TASKS = (
    Task(Constraint(Source("lark", "start: WORD\n%import common.WORD"))),
    Task(Constraint(Source("json_schema", "{}"))),
)

_EXPLORING_SECONDS = 0.05
_EXPLORED_PATHS = 4
_EXPLORED_BYTES = 64

# What a task leaves behind must not be missing to the next: a worker ends at a quarter.
_WORN_SHARE = 4


def perform(task: Task) -> Compiled | Failed:
    """The answer to a task; every failure that is the grammar's becomes a Failed."""
    started = time.perf_counter()
    try:
        parsed = combining.parse(task.constraint, task.key_order)
        automaton = compile_grammar(parsed.grammar)
        if task.place is not None:
            automaton = automaton.between(task.place.prefix, task.place.suffix)
        shortest = members.shortest(automaton)
        generator = random.Random(task.seed)
        _explore(automaton)
        samples = tuple(
            members.draw(automaton, generator, 4 * (index + 1)) for index in range(task.samples)
        )
        seconds = time.perf_counter() - started
        return Compiled(parsed.grammar, parsed.syntax, shortest, samples, seconds)
    except combining.SourceError as error:
        return Failed(_bare(error.error), error.index)
    except GrammarError as error:
        return Failed(_bare(error))
    except RecursionError:
        return Failed(BudgetExceeded("the grammar is nested too deeply"))
    except MemoryError:
        return Failed(BudgetExceeded("the grammar needs more memory than allowed"))


def _bare(error: GrammarError) -> GrammarError:
    """The error without its history, in whose frames the automata would live on."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _explore(automaton: Automaton) -> None:
    """Walks a few paths, so that what explodes on the way does so here and not in the server."""
    generator = random.Random(0)
    stop = time.perf_counter() + _EXPLORING_SECONDS
    for _ in range(_EXPLORED_PATHS):
        members.draw(automaton, generator, _EXPLORED_BYTES)
        if time.perf_counter() > stop:
            return


def limit_memory(mebibytes: int) -> None:
    """Lets this process grow by so much from here on, where the system can hold it to that."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (address_bytes() + (mebibytes << 20),) * 2)
    except (ImportError, OSError, ValueError):
        return


def address_bytes() -> int:
    """The address space of this process, 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _receive(stream: BinaryIO) -> Task | None:
    """The next task, None at the end."""
    header = stream.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        return None
    task = decode(stream.read(length(header)))
    assert isinstance(task, Task)
    return task


def _answer(task: Task, worn_bytes: int) -> bytes:
    """The reply to a task; with more address space than `worn_bytes` it is the last."""
    try:
        outcome = perform(task)
        return encode(Reply(outcome, address_bytes() > worn_bytes))
    except RecursionError:
        return encode(Reply(Failed(BudgetExceeded("the grammar is nested too deeply")), True))
    except MemoryError:
        failed = Failed(BudgetExceeded("the grammar needs more memory than allowed"))
        return encode(Reply(failed, True))


def main() -> None:
    """Serves tasks from standard input until it ends; what code prints goes to standard error.

    Arguments: mebibytes to grow by, and the seconds after which a task ends the process by itself
    should nobody be left to kill it.
    """
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    mebibytes, seconds = int(sys.argv[1]), float(sys.argv[2])
    warm_up()
    for first in _FIRST_TASKS:
        perform(first)
    worn_bytes = address_bytes() + (mebibytes << 20) // _WORN_SHARE
    limit_memory(mebibytes)
    output.write(encode("ready"))
    output.flush()
    while (task := _receive(sys.stdin.buffer)) is not None:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        answer = _answer(task, worn_bytes)
        signal.setitimer(signal.ITIMER_REAL, 0)
        output.write(answer)
        output.flush()


if __name__ == "__main__":
    main()
