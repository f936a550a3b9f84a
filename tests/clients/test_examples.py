"""The settings in `examples/`: each is read, and what its plug-in would send is answered.

The bodies are those that the plug-ins build from their settings, member by member.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from clients.conftest import ServerProcess

EXAMPLES = Path(__file__).parents[2] / "examples"
BEFORE = "import json\n\n\ndef load(path):\n    with open(path) as fi"
AFTER = ":\n        return json.load(file)\n\n\ndef save(path, value):\n    pass\n"


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as made:
        yield made


def read(name: str) -> str:
    return (EXAMPLES / name).read_text()


def path_of(url: str) -> str:
    """The path of an address in the settings, which must be the server's own."""
    found = re.fullmatch(r"http://127\.0\.0\.1:8000(/.*)?", url)
    assert found, url
    return found[1] or ""


def vim_settings() -> dict[str, Any]:
    body = read("llama_vim.vim").partition("let g:llama_config = ")[2]
    text = re.sub(r"^\s*\\ ?", "", body, flags=re.MULTILINE)
    settings: dict[str, Any] = json.loads(re.sub(r",\s*}", "}", text.replace("'", '"')))
    return settings


def lua_settings() -> dict[str, Any]:
    """The fields of all tables together: their names differ."""
    text = re.sub(r"--.*", "", read("minuet.lua"))
    assert text.count("{") == text.count("}")
    fields = re.findall(r"(\w+) = ('[^']*'|\d[\d.]*|true|false)", text)
    return {
        name: value[1:-1] if value.startswith("'") else json.loads(value) for name, value in fields
    }


def check_reply(reply: Any, fields: list[str]) -> None:
    assert set(reply) == set(fields)
    assert isinstance(reply["content"], str)
    assert reply["timings/predicted_n"] >= 0
    assert isinstance(reply["truncated"], bool)


def test_llama_vim(client: httpx.Client) -> None:
    settings = vim_settings()
    path = path_of(settings["endpoint_fim"])
    chunk = {"text": "def dump(value):\n    return 1\n", "time": [1, 2], "filename": "dump.py"}
    shared = {
        "id_slot": 0, "input_extra": [chunk], "stream": False, "cache_prompt": True,
        "model": settings["model_fim"],
    }  # fmt: skip
    warm_up = {
        **shared, "input_prefix": "", "input_suffix": "", "prompt": "", "n_predict": 0,
        "temperature": 0.0, "samplers": [], "t_max_prompt_ms": 1, "t_max_predict_ms": 1,
        "response_fields": [""],
    }  # fmt: skip
    response = client.post(path, json=warm_up)
    assert (response.status_code, response.json()) == (200, {})
    numbers = ["prompt_n", "prompt_ms", "prompt_per_token_ms", "prompt_per_second"]
    numbers += ["predicted_n", "predicted_ms", "predicted_per_token_ms", "predicted_per_second"]
    fields = ["content", *(f"timings/{name}" for name in numbers), "truncated", "tokens_cached"]
    *lines, line = BEFORE.split("\n")
    request = {
        **shared, "input_prefix": "\n".join(lines) + "\n", "input_suffix": AFTER, "prompt": line,
        "n_predict": settings["n_predict"], "stop": [], "n_indent": 4, "top_k": 40, "top_p": 0.9,
        "samplers": ["top_k", "top_p", "infill"], "t_max_prompt_ms": 500,
        "t_max_predict_ms": settings["t_max_predict_ms"], "response_fields": fields,
    }  # fmt: skip
    response = client.post(path, json=request)
    assert response.status_code == 200, response.text
    check_reply(response.json(), fields)


def test_llama_vscode(client: httpx.Client) -> None:
    given = json.loads(read("llama_vscode.json"))
    settings = {name.removeprefix("llama-vscode."): value for name, value in given.items()}
    path = f"{path_of(settings['endpoint'])}/infill"
    shared = {
        "id_slot": 0, "input_prefix": BEFORE, "input_suffix": AFTER, "input_extra": [],
        "prompt": "", "cache_prompt": True, "t_max_prompt_ms": 500,
    }  # fmt: skip
    warm_up = {**shared, "n_predict": 0, "samplers": [], "t_max_predict_ms": 1}
    assert client.post(path, json=warm_up).json()["content"] == ""
    request = {
        **shared, "n_predict": settings["n_predict"], "top_k": 40, "top_p": 0.99, "stream": False,
        "n_cmpl": settings["max_parallel_completions"], "n_indent": 4,
        "samplers": ["top_k", "top_p", "infill"],
        "t_max_predict_ms": settings["t_max_predict_ms"],
    }  # fmt: skip
    reply = client.post(path, json=request).json()
    assert isinstance(reply["content"], str)
    assert reply["tokens_predicted"] <= settings["n_predict"]
    several = client.post(path, json={**request, "n_cmpl": 3}).json()
    assert [isinstance(one["content"], str) for one in several] == [True] * 3


def test_continue(client: httpx.Client) -> None:
    (model,) = yaml.safe_load(read("continue.yaml"))["models"]
    assert (model["provider"], model["roles"]) == ("mistral", ["autocomplete"])
    base = model["apiBase"]
    assert base.endswith("/")
    stop = ["<fim_prefix>", "<fim_suffix>", "<fim_middle>", "[PREFIX]", "[SUFFIX]", "/src/"]
    request = {
        "model": model["model"], "prompt": BEFORE, "suffix": AFTER, "temperature": 0.01,
        "max_tokens": model["defaultCompletionOptions"]["maxTokens"],
        "stop": [*stop, "#- coding: utf-8", "```"], "stream": True,
    }  # fmt: skip
    headers = {"x-api-key": model["apiKey"], "Authorization": f"Bearer {model['apiKey']}"}
    response = client.post(path_of(f"{base}fim/completions"), json=request, headers=headers)
    assert response.status_code == 200, response.text
    *events, done, _ = response.text.split("\n\n")
    assert done == "data: [DONE]"
    deltas = [json.loads(event.removeprefix("data: "))["choices"][0]["delta"] for event in events]
    assert all(isinstance(delta["content"], str) for delta in deltas)


def test_minuet(client: httpx.Client) -> None:
    settings = lua_settings()
    assert settings["provider"] == "openai_fim_compatible"
    path = path_of(settings["end_point"])
    request = {
        "model": settings["model"], "stream": settings["stream"], "prompt": BEFORE,
        "suffix": AFTER, "max_tokens": settings["max_tokens"], "top_p": settings["top_p"],
    }  # fmt: skip
    count = settings["n_completions"]
    with ThreadPoolExecutor(count) as threads:
        answers = list(threads.map(lambda _: client.post(path, json=request), range(count)))
    for answer in answers:
        assert answer.status_code == 200, answer.text
        *events, done, _ = answer.text.split("\n\n")
        assert done == "data: [DONE]"
        choices = [json.loads(event.removeprefix("data: "))["choices"][0] for event in events]
        assert all(isinstance(choice["text"], str) for choice in choices)


def test_zed(client: httpx.Client) -> None:
    predictions = json.loads(read("zed.json"))["edit_predictions"]
    settings = predictions[predictions["provider"]]
    request = {
        "model": settings["model"], "prompt": BEFORE, "suffix": AFTER, "stream": False,
        "max_tokens": settings["max_tokens"], "temperature": 0.2, "top_p": 1.0,
    }  # fmt: skip
    path = f"{path_of(settings['api_url'])}/v1/fim/completions"
    response = client.post(path, json=request, headers={"Authorization": "Bearer unused"})
    assert response.status_code == 200, response.text
    reply = response.json()
    assert {"id", "object", "model", "usage", "created", "choices"} <= reply.keys()
    (choice,) = reply["choices"]
    assert choice["message"]["role"] == "assistant"
    assert isinstance(choice["message"]["content"], str)
    assert choice["finish_reason"] in {"stop", "length"}
