"""`lipogram serve`: the HTTP server."""

from __future__ import annotations

import argparse
import errno
import ipaddress
import json
import os
import signal
import socket
import sys

import uvicorn

from lipogram.server import logs
from lipogram.server.app import build_app
from lipogram.server.commands.arguments import Subparsers, add_command
from lipogram.server.connections import configuration
from lipogram.server.loading import load, patience_asked
from lipogram.server.registry import Registry
from lipogram.server.settings import CONFIG, Settings, SettingsError, gather

_EXAMPLES = """\
examples:
  lipogram serve                                the embedded model on http://127.0.0.1:8000
  lipogram serve --model embedded-4k --port 9000
  lipogram serve --model small=embedded-2k --model large=/models/an-onnx-export
  lipogram serve --config lipogram.toml
  lipogram serve --host 0.0.0.0 --api-key "$(openssl rand -hex 16)"

Every option can also be given in the environment (LIPOGRAM_PORT, LIPOGRAM_MODELS, ...; commas
between the members of a list) or in the file of --config. Flags win over the environment, and that
over the file. Every user of a machine can read the flags of its processes: keys are better off in
the environment or, hashed, in the file.
"""

_OPTIONS: tuple[tuple[str, str, type, str], ...] = (
    ("--config", CONFIG, str, "a TOML file with settings"),
    ("--host", "host", str, "address to listen on (default: 127.0.0.1, this machine only)"),
    ("--port", "port", int, "port to listen on, 0 for any free one (default: 8000)"),
    ("--key-order", "key_order", str, "JSON keys as in the schema, or in any order (schema, any)"),
    (
        "--max-sequences",
        "max_sequences",
        int,
        "sequences at a time beyond one a request (default: 32)",
    ),
    ("--max-requests", "max_requests", int, "requests inside before 429 (default: 256)"),
    ("--max-body-bytes", "max_body_bytes", int, "largest request body (default: 4 MiB)"),
    ("--max-nesting", "max_nesting", int, "deepest nesting of a body (default: 200)"),
    ("--body-seconds", "body_seconds", float, "time for a body to arrive (default: 30)"),
    ("--request-seconds", "request_seconds", float, "time for a request (default: 600)"),
    ("--compile-workers", "compile_workers", int, "grammar compilers (default: 2)"),
    ("--compile-seconds", "compile_seconds", float, "time for one grammar (default: 5)"),
    ("--compile-mib", "compile_mib", int, "memory for one grammar (default: 1024)"),
    ("--cache-mib", "cache_mib", int, "memory for compiled grammars (default: 256)"),
    ("--drain-seconds", "drain_seconds", int, "time to finish after SIGTERM (default: 30)"),
    ("--otlp-traces-endpoint", "otlp_traces_endpoint", str, "where traces go (default: nowhere)"),
)
_LISTS = (
    (
        "--model",
        "models",
        "MODEL",
        "a model to serve, [NAME=][BACKEND:]SOURCE; repeatable, the first is the default",
    ),
    ("--served-model-name", "served_names", "NAME", "another name for the first model; repeatable"),
    ("--api-key", "api_keys", "KEY", "a key that opens the server, or its hash; repeatable"),
)


def add(subparsers: Subparsers) -> None:
    """Declares the command."""
    parser = add_command(subparsers, "serve", run, "serve models over HTTP", _EXAMPLES)
    for flag, name, metavar, text in _LISTS:
        parser.add_argument(flag, dest=name, action="append", metavar=metavar, help=text)
    for flag, name, kind, text in _OPTIONS:
        parser.add_argument(flag, dest=name, type=kind, metavar=name.upper(), help=text)


def run(arguments: argparse.Namespace) -> int:
    """Serves until it is told to stop; returns the exit status."""
    settings = gather(vars(arguments), os.environ)
    logs.configure()
    listener = listen(settings)
    with patience_asked():
        application = build_app(settings, load(settings.models))
    server = Server(
        configuration(application, settings),
        _greeting(settings, application.state.service.registry, listener),
    )
    # uvicorn drains on the first SIGTERM and sends it again when done; that one ends nothing.
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    server.run(sockets=[listener])
    return 0


class Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, greeting: str) -> None:
        super().__init__(config)
        self._greeting = greeting

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._greeting, flush=True)


def listen(settings: Settings) -> socket.socket:
    """A listening socket. It names its protocol, or asyncio would leave Nagle's algorithm on."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        hint = " (try another --port)" if error.errno == errno.EADDRINUSE else ""
        raise SettingsError(f"cannot listen on {where}: {error.strerror}{hint}") from None
    return listener


def _greeting(settings: Settings, registry: Registry, listener: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{listener.getsockname()[1]}"
    names = [served.name for served in registry.all()]
    properties = {"name": {"type": "string"}, "age": {"type": "integer"}}
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    body = {
        "model": names[0],
        "messages": [{"role": "user", "content": "Ada Lovelace is 36 years old."}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "person", "schema": schema},
        },
    }
    key = ' -H "Authorization: Bearer $KEY"' if settings.api_keys else ""
    lines = [
        f"lipogram serves {', '.join(names)} at {url}",
        "",
        f"  curl {url}/v1/chat/completions -H 'Content-Type: application/json'{key} \\",
        f"    -d '{json.dumps(body)}'",
        "",
        f"API documentation: {url}/docs   Stop: Ctrl-C",
    ]
    if not settings.api_keys and not _is_loopback(settings.host):
        print(
            "warning: reachable from other machines without a key; see --api-key", file=sys.stderr
        )
    return "\n".join(lines)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
