"""A program of `node/` beside the packages that its lock file names."""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import LAST_RESORT_S

HERE = Path(__file__).parent / "node"


def installed(name: str) -> Path:
    """The program, ready to run; skips the test where there is no Node."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    return Path(shutil.copy(HERE / name, _packages(npm)))


@functools.cache
def _packages(npm: str) -> Path:
    """A folder with what the lock file names, for all the programs of a worker: npm takes two seconds to fill one."""
    folder = Path(tempfile.mkdtemp(prefix="hayate-node-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for each in ("package.json", "package-lock.json"):
        shutil.copy(HERE / each, folder)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    return folder


async def what_it_saw(program: Path, env: Mapping[str, str], given: object = None) -> dict[str, Any]:
    """The JSON that the program writes, which must end well; `given` it reads as JSON."""
    node = await asyncio.create_subprocess_exec(
        "node",
        program,
        env={**os.environ, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(LAST_RESORT_S):
        stdout, stderr = await node.communicate(json.dumps(given).encode())
    assert node.returncode == 0, stderr.decode()
    seen: dict[str, Any] = json.loads(stdout)
    return seen
