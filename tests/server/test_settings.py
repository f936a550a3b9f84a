"""Flags win over the environment, that over the file, and that over the defaults."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from lipogram.server.cli import main
from lipogram.server.keys import ApiKey, KeyRefused, hash_of, new_key
from lipogram.server.settings import ModelSettings, Settings, SettingsError, gather

KEY = new_key()
FILE = f"""
host = "::1"
port = 3
request_seconds = 9

[[models]]
name = "small"
source = "embedded-2k"
options = {{ threads = 2 }}

[[models]]
name = "far"
backend = "remote"
source = "https://example.org/v1"

[[api_keys]]
name = "editor"
hash = "{hash_of(KEY)}"
requests_per_minute = 60
"""


def written(folder: Path, text: str) -> str:
    file = folder / "lipogram.toml"
    file.write_text(text)
    return str(file)


def test_precedence(tmp_path: Path) -> None:
    file = written(tmp_path, FILE)
    environment = {"LIPOGRAM_PORT": "2", "LIPOGRAM_CONFIG": file}
    settings = gather({"port": 1, "host": None}, environment)
    assert (settings.port, settings.host, settings.drain_seconds) == (1, "::1", 30)
    assert gather({}, environment).port == 2
    assert gather({"config": file}, {}).port == 3
    assert gather({}, {}) == Settings()
    assert Settings().host == "127.0.0.1"


def test_a_file_has_models_and_keys(tmp_path: Path) -> None:
    settings = gather({"config": written(tmp_path, FILE)}, {})
    assert settings.models == (
        ModelSettings("small", source="embedded-2k", options={"threads": 2}),
        ModelSettings("far", "remote", "https://example.org/v1"),
    )
    (key,) = settings.api_keys
    assert (key.name, key.requests_per_minute, key.max_requests) == ("editor", 60, None)
    assert key.opens(KEY.encode())
    assert key.hash not in repr(settings)


def test_lists_in_flags_and_variables() -> None:
    other = hash_of(KEY)
    environment = {"LIPOGRAM_API_KEYS": f"{new_key()}, {other}", "LIPOGRAM_MODELS": "a,/b/c"}
    settings = gather({"models": ["x=vllm:org/y", "remote:http://z:1/v1"]}, environment)
    assert settings.models == (
        ModelSettings("x", "vllm", "org/y"),
        ModelSettings("v1", "remote", "http://z:1/v1"),
    )
    assert [key.opens(KEY.encode()) for key in settings.api_keys] == [False, True]
    assert settings.api_keys[1].hash == other
    assert gather({}, environment).models == (
        ModelSettings("a", source="a"),
        ModelSettings("c", source="/b/c"),
    )


@pytest.mark.parametrize(
    ("flags", "environment", "name"),
    [
        ({"port": 70_000}, {}, "port"),
        ({}, {"LIPOGRAM_PORT": "x"}, "LIPOGRAM_PORT"),
        ({"max_requests": 0}, {}, "max_requests"),
        ({"compile_seconds": float("nan")}, {}, "compile_seconds"),
        ({"request_seconds": float("inf")}, {}, "request_seconds"),
        ({"drain_seconds": -1}, {}, "drain_seconds"),
        ({}, {"LIPOGRAM_KEY_ORDER": "none"}, "key_order"),
        ({}, {"LIPOGRAM_API_KEY": KEY}, "LIPOGRAM_API_KEY: no setting"),
        ({}, {"LIPOGRAM_API_KEYS": ""}, "LIPOGRAM_API_KEYS"),
        ({}, {"LIPOGRAM_API_KEYS": "hunter2"}, "LIPOGRAM_API_KEYS: an API key has at least 20"),
        ({}, {"LIPOGRAM_API_KEYS": "sha256:12:34"}, "expected the hash"),
        ({"models": ["a", "x/a"]}, {}, "models: expected distinct names, found 'a'"),
        ({"models": ["a"], "served_names": ["a"]}, {}, "models: expected distinct names"),
        ({"config": "/nowhere.toml"}, {}, "/nowhere.toml: No such file"),
    ],
)
def test_bad_values_are_named(
    flags: dict[str, object], environment: dict[str, str], name: str
) -> None:
    with pytest.raises(SettingsError, match=name):
        gather(flags, environment)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "prot: no setting has this name"),
        ("port = '1'", "port: expected an integer, found '1'"),
        ("port = true", "port: expected an integer"),
        ("models = 'a'", "models: expected a list"),
        ("[[models]]\nsource = 'a'", r"models\[0\].name is missing"),
        ("[[models]]\nname = 'a'\nbackend = 'gpu'", r"models\[0\].backend: expected one of"),
        ("[[models]]\nname = 'a'\noptions = 1", r"models\[0\].options: expected a table"),
        ("[[models]]\nname = 'a'\nextra = 1", r"models\[0\].extra: no setting"),
        ("[[api_keys]]\nname = 'a'\nhash = 'secret'", "api_keys 'a': expected the hash"),
        (
            f"[[api_keys]]\nname = 'a'\nhash = '{hash_of(KEY)}'\nmax_requests = 0",
            "api_keys 'a': max_requests: expected at least 1",
        ),
        ("port = ", "Invalid value"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        gather({"config": written(tmp_path, text)}, {})


@pytest.mark.parametrize("key", ["short", "with a space in it, longer", "x" * 30 + "\n"])
def test_guessable_keys_have_no_hash(key: str) -> None:
    with pytest.raises(KeyRefused):
        hash_of(key)


def test_hashes_are_salted() -> None:
    assert hash_of(KEY) != hash_of(KEY)
    assert ApiKey.parse(KEY).opens(KEY.encode())
    assert not ApiKey.parse(KEY).opens(KEY.encode() + b"x")


def test_the_command_makes_what_the_file_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["key", "--name", 'the "editor"'])
    text = capsys.readouterr().out
    (key,) = gather({"config": written(tmp_path, text)}, {}).api_keys
    assert key.name == 'the "editor"'
    assert key.opens(text.splitlines()[0].rpartition(" ")[2].encode())


def test_every_setting_but_ensembles_has_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    text = capsys.readouterr().out
    other = {"models": "--model ", "served_names": "--served-model-name", "api_keys": "--api-key"}
    for setting in fields(Settings):
        if setting.name == "ensembles":
            continue  # no text says them all
        assert other.get(setting.name, "--" + setting.name.replace("_", "-")) in text
