"""The packages of examples/node, as their lock file names them, for tests that run what uses them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.waiting import LAST_RESORT_S

EXAMPLES = Path(__file__).parents[3] / "examples"


def installed(folder: Path) -> Path:
    """A copy of examples/node in this folder, with its packages; without Node or a registry the test is skipped."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("no node or npm")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.removeprefix("v").partition(".")[0]) < 20:
        pytest.skip(f"node 20 is needed, this is {version.strip()}")
    copy = folder / "node"
    shutil.copytree(EXAMPLES / "node", copy, ignore=shutil.ignore_patterns("node_modules"))
    install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(install, cwd=copy, capture_output=True, text=True, timeout=LAST_RESORT_S, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm can't install the examples' packages: {done.stderr[-300:]}")
    return copy
