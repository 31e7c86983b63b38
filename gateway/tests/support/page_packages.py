"""The packages of tests/browser, as their lock file names them, for tests of the page that use one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.vendored import PACKAGES
from tests.support.waiting import LAST_RESORT_S

NO_NODE = 3
"""The exit status of scripts/npm that says so."""


def unpacked() -> Path:
    """Their folder; without Node or a registry the test is skipped."""
    script = PACKAGES.parents[1] / "scripts/npm"
    done = subprocess.run([script], capture_output=True, text=True, timeout=LAST_RESORT_S, check=False)
    if done.returncode == NO_NODE:
        pytest.skip("no node or npm")
    if done.returncode != 0:
        pytest.skip(f"npm can't install the page's packages: {done.stderr[-300:]}")
    return PACKAGES / "node_modules"
