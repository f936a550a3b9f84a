"""What deploy/ names exists: settings, flags, routes, metrics, files; and its parts agree."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from lipogram.server.app import build_app
from lipogram.server.cli import main
from lipogram.server.keys import hash_of, new_key
from lipogram.server.settings import PREFIX, Settings, gather
from server_under_test import restless

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
FILES = sorted(file for file in DEPLOY.rglob("*") if file.is_file())
SETTINGS = [file for file in FILES if file.suffix == ".toml"]
HASH = hash_of(new_key())


def name(file: Path) -> str:
    return str(file.relative_to(DEPLOY))


def documents(file: Path) -> list[Any]:
    return list(yaml.safe_load_all(file.read_text()))


def manifests() -> list[tuple[Path, dict[str, Any]]]:
    folders = DEPLOY / "kubernetes"
    return [(file, each) for file in sorted(folders.rglob("*.yaml")) for each in documents(file)]


def containers(value: Any) -> list[dict[str, Any]]:
    """All containers of pods, however deep."""
    if isinstance(value, list):
        return [found for each in value for found in containers(each)]
    if not isinstance(value, dict):
        return []
    return value.get("containers", []) + [f for each in value.values() for f in containers(each)]


@pytest.mark.parametrize("file", FILES, ids=name)
def test_files_can_be_parsed(file: Path) -> None:
    text = file.read_text()
    if file.suffix == ".yaml":
        assert all(documents(file))
    elif file.suffix == ".json":
        json.loads(text)
    elif file.suffix == ".toml":
        tomllib.loads(text)
    elif file.suffix == ".service":
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.read_string(text)
        assert {"Unit", "Service", "Install"} <= set(unit)
    else:
        assert file.suffix == ".md" or file.name.startswith("Containerfile")


@pytest.mark.parametrize("file", SETTINGS, ids=name)
def test_settings_files_are_settings(file: Path) -> None:
    settings = gather({"config": str(file)}, {"LIPOGRAM_API_KEYS": HASH})
    assert settings.models
    assert (settings.host, settings.port) == ("0.0.0.0", 8000)


def test_variables_are_settings() -> None:
    known = {PREFIX + field.upper() for field in (*Settings.__slots__, "config", "cache_dir")}
    for file in FILES:
        if file.suffix != ".md":
            text = re.sub(r"LIPOGRAM_PORT and the like", "", file.read_text())
            assert set(re.findall(r"\bLIPOGRAM_[A-Z_]+\b", text)) <= known, file


def test_commands_have_their_flags(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    flags = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    for file in FILES:
        for line in re.findall(r"lipogram serve([^\n`#]*)", file.read_text()):
            assert set(re.findall(r"--[a-z-]+", line)) <= flags, file


def test_metrics_exist() -> None:
    service = build_app(Settings(), [restless()]).state.service
    page = service.metrics.page(service.house, service.compiler)
    kinds = dict(re.findall(r"# TYPE (\S+) (\S+)", page))
    ends = [f"{known}_{end}" for known in kinds for end in ("bucket", "count", "sum")]
    exported = {*kinds, *(end for end in ends if kinds[end.rpartition("_")[0]] == "histogram")}
    for file in FILES:
        if file.suffix in {".json", ".yaml", ".md"}:
            named = re.findall(r"\b(?:lipogram_[a-z0-9_]+|process_[a-z_]+)\b", file.read_text())
            assert set(named) <= exported, file


def test_probes_ask_routes_that_need_no_key() -> None:
    probed = 0
    for _, manifest in manifests():
        for container in containers(manifest):
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if probe in container:
                    probed += 1
                    assert container[probe]["httpGet"]["path"] in {"/health", "/ready"}
    assert probed == 6


def test_pods_outlive_their_drain() -> None:
    """SIGTERM comes after the pause; whoever is inside then has the drain's seconds."""
    for folder in ("base", "vllm"):
        place = DEPLOY / "kubernetes" / folder
        drain = tomllib.loads((place / "lipogram.toml").read_text())["drain_seconds"]
        text = "".join(file.read_text() for file in place.glob("*.yaml"))
        (grace,) = map(int, re.findall(r"terminationGracePeriodSeconds: (\d+)", text))
        (pause,) = map(int, re.findall(r'"sleep", "(\d+)"', text))
        assert grace >= drain + pause
    drain = tomllib.loads((DEPLOY / "lipogram.toml").read_text())["drain_seconds"]
    unit = (DEPLOY / "systemd" / "lipogram.service").read_text()
    assert int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0]) > drain
    compose = documents(DEPLOY / "compose.yaml")[0]["services"]["lipogram"]
    assert int(compose["stop_grace_period"].removesuffix("s")) > drain


def test_pods_do_not_get_the_variables_of_services() -> None:
    for file, manifest in manifests():
        if containers(manifest):
            assert file.read_text().count("enableServiceLinks: false") == len(containers(manifest))


def test_containers_copy_what_is_there() -> None:
    for file in (DEPLOY / "Containerfile", DEPLOY / "Containerfile.vllm"):
        for line in re.findall(r"^COPY (?!--from)(.+)$", file.read_text(), re.MULTILINE):
            for source in line.split()[:-1]:
                assert (ROOT / source).exists(), f"{file.name}: {source}"


def test_compose_mounts_what_is_there() -> None:
    services = documents(DEPLOY / "compose.yaml")[0]["services"]
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./") and source != "./metrics.key":  # made by who starts it
                assert (DEPLOY / source).exists(), source
