"""The code corpus: the running Python's standard library, split by file."""

import hashlib
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SPLIT_SEED = 20
HELD_OUT_ONE_IN = 20

# Tests, installed packages, build residue, and tables that no person wrote.
_SKIPPED_DIRECTORIES = frozenset(
    (
        "test",
        "tests",
        "idle_test",
        "testmock",
        "site-packages",
        "encodings",
        "pydoc_data",
        "__phello__",
    )
)
_SKIPPED_PREFIXES = ("_sysconfigdata", "config-")


@dataclass(frozen=True, slots=True)
class Module:
    """One source file; `path` is relative to the library's root, with forward slashes."""

    path: str
    text: str


@cache
def modules() -> tuple[Module, ...]:
    """Every kept module of the local standard library, sorted by path."""
    root = Path(sysconfig.get_path("stdlib"))
    found = []
    for file in sorted(root.rglob("*.py")):
        relative = file.relative_to(root)
        if _SKIPPED_DIRECTORIES.isdisjoint(relative.parts) and not relative.parts[0].startswith(
            _SKIPPED_PREFIXES
        ):
            text = file.read_bytes().decode("utf-8", errors="replace").replace("\r\n", "\n")
            if text.strip():
                found.append(Module(relative.as_posix(), text))
    return tuple(found)


def is_held_out(path: str) -> bool:
    """Whether a module is kept from training; it depends on its path and the split's seed alone."""
    digest = hashlib.sha256(f"{SPLIT_SEED}:{path}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % HELD_OUT_ONE_IN == 0


def training_modules() -> tuple[Module, ...]:
    """The modules that models learn from."""
    return tuple(module for module in modules() if not is_held_out(module.path))


def held_out_modules() -> tuple[Module, ...]:
    """The modules that models are measured on."""
    return tuple(module for module in modules() if is_held_out(module.path))


def fingerprint(chosen: Iterable[Module]) -> str:
    """A hash of the paths and contents, so that numbers can name the data they belong to."""
    digest = hashlib.sha256()
    for module in chosen:
        digest.update(f"{module.path}\0{module.text}\0".encode())
    return digest.hexdigest()
