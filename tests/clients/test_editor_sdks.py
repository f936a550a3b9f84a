"""Packages that editors' plug-ins are built on, against a real server process."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest

from clients.conftest import ServerProcess

BEFORE, AFTER = "def area(width, height):\n    retu", "\n\n\nprint(area(2, 3))\n"
SCHEMA = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}


def test_mistral(server: ServerProcess) -> None:
    client_module = pytest.importorskip("mistralai.client", reason="mistralai is not installed")
    with client_module.Mistral(api_key="unused", server_url=server.url) as client:
        given: dict[str, Any] = {"model": "tiny", "prompt": BEFORE, "suffix": AFTER}
        given |= {"max_tokens": 12, "random_seed": 3}
        reply = client.fim.complete(**given)
        text = reply.choices[0].message.content
        assert reply.usage.completion_tokens <= 12
        events = list(client.fim.stream(**given))
    assert "".join(event.data.choices[0].delta.content for event in events) == text
    assert events[-1].data.choices[0].finish_reason in {"stop", "length"}


def test_ollama(server: ServerProcess) -> None:
    ollama = pytest.importorskip("ollama", reason="ollama is not installed")
    client = ollama.Client(host=server.url)
    with closing(client._client):
        assert [model.model for model in client.list().models][1:] == ["tiny"]
        given: dict[str, Any] = {"model": "tiny", "prompt": BEFORE, "suffix": AFTER}
        given["options"] = {"num_predict": 12, "seed": 3}
        reply = client.generate(**given)
        assert reply.done
        assert reply.eval_count <= 12
        pieces = list(client.generate(**given, stream=True))
        assert "".join(piece.response for piece in pieces) == reply.response
        assert pieces[-1].done_reason in {"stop", "length"}
        document = client.generate(model="tiny", prompt="Yes or no?", format=SCHEMA)
        assert isinstance(json.loads(document.response)["a"], bool)
        with pytest.raises(ollama.ResponseError) as caught:
            client.generate(model="none", prompt="x")
        assert caught.value.status_code == 404
