"""Clients for Node, each in a script of its own that ends with an error where something is wrong.

`make test-clients` installs them; elsewhere they are skipped.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from clients.conftest import ServerProcess

FOLDER = Path(__file__).with_name("node")
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.mjs"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_script(server: ServerProcess, script: str) -> None:
    if shutil.which("node") is None or not (FOLDER / "node_modules").exists():
        pytest.skip("needs the packages that make test-clients installs in tests/clients/node")
    ran = subprocess.run(
        ["node", script, server.url], cwd=FOLDER, capture_output=True, text=True, timeout=180
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
