"""What an idle gateway takes, with the store on: in a folder that is new, and in one that it has served before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.ports import free_port
from tests.support.waiting import LAST_RESORT_S

HAYATE = str(Path(sys.executable).with_name("hayate"))
MB = 1_000_000
MOST_MB = 90


def idle_mb(data: Path) -> float:
    """The resident size of a gateway of its own (a child of the nursery shares its parent's), once it listens."""
    settings = {"HAYATE_DATA": str(data), "HAYATE_PORT": str(free_port()), "BACKEND_URL": "http://127.0.0.1:9"}
    inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    with subprocess.Popen(
        [HAYATE, "serve"],
        env={**inherited, **settings, "LLM_BACKEND": "openai"},
        cwd=data.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            assert any('"listening"' in line for line in process.stderr)
            pages = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1])
        finally:
            process.terminate()
            process.communicate(timeout=LAST_RESORT_S)
    assert process.returncode == 0
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


def test_an_idle_gateway_is_small_with_its_store(tmp_path: Path) -> None:
    new, again = idle_mb(tmp_path / "data"), idle_mb(tmp_path / "data")
    assert (tmp_path / "data" / "hayate.db").exists()
    assert new <= MOST_MB
    assert again <= MOST_MB
