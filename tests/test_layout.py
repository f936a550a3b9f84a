"""The rules that keep three source roots one package."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lipogram.grammars.engine.memory import MAX_ARRAYS

ROOT = Path(__file__).parents[1]
LAYERS = ("server", "decoding", "grammars")
PINNED_BY_VLLM = {"lark": "1.2.2", "numba": "0.65.0", "fastapi": "0.136.0"}


@pytest.mark.parametrize("layer", LAYERS)
def test_the_namespace_directory_has_no_init(layer: str) -> None:
    assert not (ROOT / layer / "lipogram" / "__init__.py").exists()
    assert (ROOT / layer / "lipogram" / layer / "py.typed").exists()


@pytest.mark.parametrize("layer", LAYERS)
def test_every_folder_with_code_is_a_package(layer: str) -> None:
    for file in (ROOT / layer / "lipogram" / layer).rglob("*.py"):
        assert (file.parent / "__init__.py").exists(), file


def test_the_base_requirements_admit_what_vllm_pins() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = {r.name: r for r in map(Requirement, project["dependencies"])}
    for name, version in PINNED_BY_VLLM.items():
        assert requirements[name].specifier.contains(version), name
    assert not any("torch" in name for name in requirements)


def test_the_version_is_in_the_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"[{version}]" in (ROOT / "CHANGELOG.md").read_text()


def test_no_two_arrays_of_an_engine_share_a_number() -> None:
    sources = [path for layer in LAYERS for path in (ROOT / layer).rglob("*.py")]
    arrays: dict[int, str] = {}
    owners = 0
    for path in sources:
        text = path.read_text()
        if path.parts[-2:] == ("engine", "layout.py"):
            block = text[: text.index("# Columns of NODES.")]
        elif "# Scratch arrays of the engine's memory" in text:
            block = text[text.index("# Scratch arrays of the engine's memory") :]
        else:
            continue
        owners += 1
        last = -1
        for name, digits in re.findall(r"^(\w+): Final = ([\d_]+)", block, re.MULTILINE):
            number = int(digits)
            if path.name != "layout.py" and not last < number < MAX_ARRAYS:
                break  # what follows are other constants
            assert number not in arrays, (name, arrays[number])
            arrays[number] = f"{path.name}: {name}"
            last = number
    assert owners == 3
    assert len(arrays) > 50


@pytest.mark.parametrize(
    ("files", "least"),
    [
        (["decoding/canvas/chart/layout.py"], 20),
        (
            [
                "decoding/canvas/compiled/layout.py",
                "grammars/lattice/row.py",
                "grammars/lattice/ahead.py",
            ],
            20,
        ),
    ],
)
def test_no_two_arrays_of_a_canvas_share_a_number(files: list[str], least: int) -> None:
    """Nor does one lie where a table, which takes two, has its slots."""
    arrays: dict[int, str] = {}
    for file in files:
        text = (ROOT / file.split("/")[0] / "lipogram" / file).read_text()
        for name, digits, said in re.findall(
            r"^(\w+): Final = (\d+)(?:  # (.*))?$", text, re.MULTILINE
        ):
            if name.endswith("_WIDTH") or not 8 <= int(digits) < MAX_ARRAYS:
                continue
            for number in range(int(digits), int(digits) + (2 if said.startswith("table") else 1)):
                assert number not in arrays, (name, arrays[number])
                arrays[number] = name
    assert len(arrays) >= least
