"""`lipogram generate`: one constrained text, without a server."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from lipogram.decoding.events import Chunk
from lipogram.decoding.job import Job, Sampling
from lipogram.decoding.masking import Masker
from lipogram.grammars import compile as compile_grammar
from lipogram.server import combining
from lipogram.server.commands.arguments import (
    InputError,
    Subparsers,
    add_command,
    add_options,
    options_of,
    read_source,
)
from lipogram.server.constraints import Constraint, Source
from lipogram.server.loading import load, patience_asked
from lipogram.server.prompts import Turn
from lipogram.server.registry import Registry, Served
from lipogram.server.settings import ModelSettings
from lipogram.server.sse import Characters

_EXAMPLES = """\
examples:
  lipogram generate --schema person.json "Ada Lovelace is 36 years old."
  lipogram generate --regex "[0-9]{4}-[0-9]{2}-[0-9]{2}" "It was the first of May 2024."
  lipogram generate --grammar sums.lark --max-tokens 40 "What is two plus two?"
  echo "a long text" | lipogram generate --schema person.json -
"""


def add(subparsers: Subparsers) -> None:
    """Declares the command."""
    parser = add_command(
        subparsers, "generate", run, "generate one text that obeys a grammar", _EXAMPLES
    )
    parser.add_argument("text", help="what to answer; - reads standard input")
    rule = parser.add_mutually_exclusive_group()
    rule.add_argument("--schema", type=Path, metavar="FILE", help="a JSON Schema")
    rule.add_argument("--grammar", type=Path, metavar="FILE", help="a .lark or .gbnf grammar")
    rule.add_argument("--regex", metavar="PATTERN", help="a pattern that the whole text matches")
    add_options(parser)
    parser.add_argument("--model", metavar="MODEL", help="the model (default: the embedded one)")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="(default: what fits)")
    parser.add_argument("--temperature", type=float, default=0.0, help="(default: 0)")
    parser.add_argument("--seed", type=int, metavar="N", help="for a temperature above 0")


def run(arguments: argparse.Namespace) -> int:
    """Prints the text as it comes; returns the exit status."""
    source = _source(arguments)
    with patience_asked():
        models = (ModelSettings.parse(arguments.model),) if arguments.model else ()
        served = Registry(load(models)).find(None)
    masker = None
    if source is not None:
        try:
            grammar = combining.parse(Constraint(source)).grammar
        except combining.SourceError as error:
            raise error.error from None
        for line in grammar.report.narrowed:
            print(f"narrowed: {line}", file=sys.stderr)
        masker = Masker(compile_grammar(grammar), served.model.vocabulary)
    text = sys.stdin.read() if arguments.text == "-" else arguments.text
    prompt = served.template.render([Turn("user", text)], served.model.vocabulary)
    sampling = Sampling(temperature=arguments.temperature, seed=arguments.seed)
    job = Job(prompt, masker, sampling, arguments.max_tokens, stop=served.template.stops)
    asyncio.run(_write(served, job))
    return 0


def _source(arguments: argparse.Namespace) -> Source | None:
    options = options_of(arguments)
    if arguments.schema is not None:
        return read_source(arguments.schema, "json_schema", options)
    if arguments.grammar is not None:
        return read_source(arguments.grammar, None, options)
    if options.given:
        raise InputError(f"{', '.join(options.given)}: expected a schema or grammar with it")
    return Source("regex", arguments.regex) if arguments.regex is not None else None


async def _write(served: Served, job: Job) -> None:
    characters = Characters()
    async for event in served.decoder.generate(job):
        if isinstance(event, Chunk):
            print(characters.feed(event.text), end="", flush=True)
    print(characters.end())
