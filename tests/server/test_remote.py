"""A remote server as a model: what its API carries comes through, and nothing else does."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Any

import httpx
import pytest

from lipogram.decoding import Job, Masker, Sampling
from lipogram.decoding.errors import BackendFailed, ContextTooLong, UnsupportedJob
from lipogram.decoding.events import Chunk, Finish
from lipogram.decoding.job import Written
from lipogram.decoding.models.remote import RemoteModel, load
from lipogram.decoding.models.remote.request import Abilities
from lipogram.grammars import compile, regex
from lipogram.server import loading
from lipogram.server.settings import ModelSettings, Settings, SettingsError
from server_under_test import PERSON, ask, restless, serving, stream

NAMED = {"name": "p", "schema": PERSON}
ALL = Abilities("structured_outputs", suffix=True, logprobs=True, extensions=True)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Our own server in front of our own server."""
    with serving([restless()], Settings(compile_workers=1)) as far:
        remote = RemoteModel(f"{far}/v1", name="far", model="restless", abilities=ALL)
        with serving([remote, restless()], Settings(compile_workers=1)) as near:
            yield near


@pytest.fixture
def post(address: str) -> Iterator[Callable[..., httpx.Response]]:
    with httpx.Client(base_url=address, timeout=20) as client:
        yield lambda path, **body: client.post(path, json=body)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "p", "schema": PERSON},
            }
        },
        {"structured_outputs": {"regex": "[a-f]{9}"}},
        {"structured_outputs": {"choice": ["hello", "world"]}},
        {"structured_outputs": {"grammar": 'start: "a" | "b" start'}},
        {"stop": ["e"], "temperature": 0.7, "top_p": 0.9, "top_k": 20, "presence_penalty": 0.5},
        {"logprobs": True, "top_logprobs": 2, "max_tokens": 9},
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_chat_says_what_the_server_itself_says(
    post: Callable[..., httpx.Response], body: dict[str, Any], streamed: bool
) -> None:
    def answer(model: str) -> tuple[str, Any, Any]:
        messages = [
            {"role": "system", "content": "be brief"}, {"role": "user", "content": "é <|end|>"},
        ]  # fmt: skip
        body_ = {**body, "model": model, "messages": messages}
        if not streamed:
            choice = ask(post, **body_)["choices"][0]
            return choice["message"]["content"], choice["finish_reason"], choice["logprobs"]
        chunks = [chunk["choices"][0] for chunk in stream(post, **body_)]
        text = "".join(chunk["delta"].get("content") or "" for chunk in chunks)
        return text, chunks[-1]["finish_reason"], None

    assert answer("far") == answer("restless")


def test_usage_is_the_servers_own(post: Callable[..., httpx.Response]) -> None:
    counts = [ask(post, model=name)["usage"] for name in ("far", "restless")]
    assert counts[0]["prompt_tokens"] == counts[1]["prompt_tokens"]
    assert counts[0]["completion_tokens"] == counts[1]["completion_tokens"]


def test_completions_and_suffixes(post: Callable[..., httpx.Response]) -> None:
    for body in ({"prompt": "hello wor"}, {"prompt": "x = (", "suffix": ")\n", "n": 2}):
        body_ = {**body, "seed": 4, "max_tokens": 12}
        far, near = (
            post("/v1/completions", model=name, **body_).json() for name in ("far", "restless")
        )
        assert [c["text"] for c in far["choices"]] == [c["text"] for c in near["choices"]]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("completions", {"prompt": "x", "boundary": "exact"}, "boundary exact"),
        ("completions", {"prompt": "x", "byte_mode": "full"}, "byte_mode full"),
        ("completions", {"prompt": "x", "logprobs": 1}, "in chat alone"),
        ("completions", {"infill": {"segments": ["a", "b"], "max_tokens": [4]}}, "several holes"),
        ("completions", {"prompt": [1, 2]}, "tokens are not known here"),
        ("completions", {"prompt": "x", "logit_bias": {"5": 1}}, "logit_bias"),
        ("completions", {"prompt": "x", "ignore_eos": True}, "ignore_eos"),
        ("chat/completions", {"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        (
            "chat/completions",
            {"structured_outputs": {"regex": "a"}, "logprobs": True},
            "log-probabilities under a constraint",
        ),
    ],
)
def test_what_cannot_be_carried_is_refused(
    post: Callable[..., httpx.Response], path: str, body: dict[str, Any], message: str
) -> None:
    if path == "chat/completions":
        body = {**body, "messages": [{"role": "user", "content": "hi"}]}
    response = post(f"/v1/{path}", model="far", **body)
    assert response.status_code == 400, response.text
    assert message in response.json()["error"]["message"]


def test_tokens_are_not_known_here(post: Callable[..., httpx.Response]) -> None:
    for path, body in (("/tokenize", {"prompt": "x"}), ("/detokenize", {"tokens": [1]})):
        response = post(path, model="far", **body)
        assert response.status_code == 400
        assert response.json()["error"]["param"] == "model"


def request_on(connection: socket.socket) -> bytes:
    """A whole request, head and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(1 << 16)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if b"content-length" in line.lower()
    )
    while len(body) < length:
        body += connection.recv(1 << 16)
    return head + b"\r\n\r\n" + body


@contextmanager
def faking(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers each connection with these bytes, once; and what it was sent."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                heard.append(request_on(connection))
                connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", heard
    finally:
        listener.close()


def sse(*texts: str, finish: str | None = "stop", end: str = "data: [DONE]\n\n") -> bytes:
    """A stream of completions with these texts."""
    choices: list[dict[str, Any]] = [{"text": text, "finish_reason": None} for text in texts]
    choices.append({"text": "", "finish_reason": finish})
    lines = "".join(f"data: {json.dumps({'choices': [choice]})}\n\n" for choice in choices)
    return f"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{lines}{end}".encode()


def status(code: int, body: str) -> bytes:
    return f"HTTP/1.1 {code} X\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def job(pattern: str | None = None, **members: Any) -> Job:
    if pattern is None:
        return Job((), text=b"x", boundary="none", **members)
    own = RemoteModel("http://x", name="x", model="x", abilities=ALL).vocabulary
    masker = Masker(compile(regex.parse(pattern)), own)
    written = Written("regex", pattern)
    return Job((), masker, text=b"x", boundary="none", written=written, **members)


def text(url: str, what: Job, abilities: Abilities = ALL) -> tuple[bytes, Finish]:
    async def run() -> tuple[bytes, Finish]:
        model = RemoteModel(url, name="far", model="m", abilities=abilities, read_s=0.5)
        events = [event async for event in model.generate(what)]
        assert isinstance(events[-1], Finish)
        return b"".join(e.text for e in events if isinstance(e, Chunk)), events[-1]

    return asyncio.run(asyncio.wait_for(run(), 20))


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (status(401, '{"error": {"message": "no key"}}'), BackendFailed, "answers 401: no key"),
        (status(429, "slow down"), BackendFailed, "answers 429: slow down"),
        (status(500, ""), BackendFailed, "answers 500"),
        (status(400, '{"error": {"message": "bad n"}}'), UnsupportedJob, "refuses: bad n"),
        (
            status(400, '{"error": {"message": "m", "code": "context_length_exceeded"}}'),
            ContextTooLong,
            "remote server: m",
        ),
        (sse("a", end=""), BackendFailed, "broke off"),
        (sse("a", finish="content_filter"), BackendFailed, "ended with 'content_filter'"),
        (sse("a", finish=None), BackendFailed, "ended with None"),
        (sse("a")[:60] + b"data: {nonsense\n\n", BackendFailed, "cannot be read"),
        (sse(end='data: {"error": {"message": "out of memory"}}\n\n'), BackendFailed, "out of mem"),
        (b"HTTP/1.1 200 OK\r\n\r\ndata: []\n\n", BackendFailed, "cannot be read"),
        (b"nonsense\r\n\r\n", BackendFailed, "RemoteProtocolError"),
        (b"", BackendFailed, "RemoteProtocolError"),
    ],
)
def test_what_goes_wrong_there_is_told_here(
    answer: bytes, error: type[Exception], message: str
) -> None:
    with faking(answer) as (url, heard), pytest.raises(error, match=message):
        text(url, job())
    assert len(heard) == 1  # nothing is sent twice


def test_nobody_there_and_nobody_answering() -> None:
    with pytest.raises(BackendFailed, match="ConnectError"):
        text("http://127.0.0.1:1/v1", job())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        with pytest.raises(BackendFailed, match="ReadTimeout"):
            text(url, job())


@pytest.mark.parametrize("texts", [("abc", "d"), ("ab", "x"), ("abcc", "!")])
def test_an_output_that_breaks_the_constraint_is_an_error(texts: tuple[str, ...]) -> None:
    with faking(sse(*texts)) as (url, _), pytest.raises(BackendFailed, match="breaks the"):
        text(url, job("abc+"))


@pytest.mark.parametrize("finish", ["stop", "length"])
def test_an_output_that_is_not_complete_is_an_error(finish: str) -> None:
    with faking(sse("ab", finish=finish)) as (url, _), pytest.raises(BackendFailed, match="compl"):
        text(url, job("abc+"))


def test_an_output_that_obeys_is_passed_on_with_the_rule_as_it_was_written() -> None:
    with faking(sse("ab", "cc", finish="length")) as (url, heard):
        found, finish = text(url, job("abc+", max_tokens=4, sampling=Sampling(seed=-1)))
    assert (found, finish.reason) == (b"abcc", "length")
    body = json.loads(heard[0].partition(b"\r\n\r\n")[2])
    assert body["structured_outputs"] == {"regex": "abc+"}
    assert (body["seed"], body["max_tokens"], body["model"]) == (2**63 - 1, 4, "m")


def test_stop_strings_end_a_constrained_output_only_where_it_is_complete() -> None:
    with faking(sse("a!b", "!c", "!!d")) as (url, _):
        found, finish = text(url, job("a!b!(c!!d)?", stop=(b"!",)))
    assert (found, finish.stop) == (b"a!b!c", b"!") or found == b"a!b!c!!d"


def test_leaving_closes_the_connection() -> None:
    gone = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(ConnectionResetError):
            request_on(connection)
            connection.sendall(sse("abc", end="")[:-60])
            connection.recv(10)
        gone.set()

    async def leave(url: str) -> None:
        model = RemoteModel(url, name="far", model="m", abilities=ALL, read_s=30)
        async with aclosing(model.generate(job())) as events:
            assert await anext(events) == Chunk(b"abc")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        asyncio.run(leave(f"http://127.0.0.1:{listener.getsockname()[1]}/v1"))
        assert gone.wait(30)


def test_abilities_that_are_not_declared() -> None:
    bare = Abilities()
    for what, message in (
        (job("a"), "a constraint"),
        (job(sampling=Sampling(top_k=3)), "top_k"),
        (job(top_logprobs=1), "log-probabilities"),
    ):
        with pytest.raises(UnsupportedJob, match=message):
            text("http://127.0.0.1:1/v1", what, bare)
    with pytest.raises(UnsupportedJob, match="takes JSON Schemas, found regex"):
        text("http://127.0.0.1:1/v1", job("a"), Abilities("response_format"))


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"constraints": "response_format", "api_key_variable": "THEIR_KEY"}
    settings = ModelSettings("far", "remote", "http://127.0.0.1:1/v1", options=options)
    with pytest.raises(SettingsError, match="THEIR_KEY has no key"):
        loading.load((settings,))
    monkeypatch.setenv("THEIR_KEY", "sk-1")
    (model,) = loading.load((settings,))
    assert isinstance(model, RemoteModel)
    with pytest.raises(SettingsError, match="expected the URL of a server"):
        loading.load((ModelSettings("far", "remote", "org/model"),))
    with pytest.raises(SettingsError, match="expected constraints structured_outputs or"):
        loading.load((ModelSettings("far", "remote", "http://x", options={"constraints": "yes"}),))


def test_the_key_goes_along() -> None:
    with faking(sse("a")) as (url, heard):
        model = RemoteModel(url, name="far", model="m", abilities=ALL, api_key="sk-1")

        async def run() -> None:
            async for _ in model.generate(job()):
                pass

        asyncio.run(run())
    assert b"authorization: bearer sk-1" in heard[0].lower()
    assert load("http://x", name="x").name == "x"
