"""A newcomer at a terminal: a fresh clone in a folder of an awkward name, and what is typed in there.

Nothing of the tests' own environment goes along but the package managers' settings and caches. What a step exports or activates,
the next one has: they are typed into one terminal. A program that stays (`make run`) has a terminal of its own.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.waiting import eventually

REPOSITORY = Path(__file__).parents[3]
NAME = "はじめての hayate"
OURS = (
    "HAYATE_",
    "LLM_",
    "BACKEND_",
    "MODEL",
    "HF_",
    "PYTHON",
    "VIRTUAL_ENV",
    "PYTEST",
    "COVERAGE",
    "MAKE",
    "MFLAGS",
    "CLAUDE",
)
NOWHERE = "http://127.0.0.1:9"
"""The Hub can't be reached: the model that ships with the project answers, and nothing depends on the network but packages."""


def clone(place: Path) -> Path:
    """The checkout under test, as git would give it, with what was changed and not yet committed."""
    folder = place / NAME
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", REPOSITORY, folder], check=True, capture_output=True)
    listed = ["git", "ls-files", "--modified", "--others", "--exclude-standard", "-z"]
    changed = subprocess.run(listed, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, changed):
        if (REPOSITORY / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)
        else:
            (folder / name).unlink()
    return folder


class Newcomer:
    """One terminal in the folder. `env` is what the machine sets; what a step sets stays until `close_terminal`."""

    def __init__(self, folder: Path, place: Path, **env: str) -> None:
        self.folder = folder
        self._exports = place / "exports"
        self._programs = 0
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        paths = [each for each in inherited["PATH"].split(":") if not (Path(each) / "activate").exists()]
        self.env = {**inherited, "PATH": ":".join(paths), "HF_ENDPOINT": NOWHERE, "HF_HOME": str(place / "hub"), **env}

    def close_terminal(self) -> None:
        """What was exported is gone."""
        self._exports.unlink(missing_ok=True)

    async def types(self, code: str, *, within_s: float = 300, **env: str) -> str:
        """What the terminal shows. Every line must end well."""
        script = f'[ ! -e "$EXPORTS" ] || . "$EXPORTS"\nset -eo pipefail\n{code}\nexport -p >"$EXPORTS"\n'
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            script,
            cwd=self.folder,
            env={**self.env, "EXPORTS": str(self._exports), **env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            shown, _ = await asyncio.wait_for(process.communicate(), within_s)
        except TimeoutError:
            process.kill()
            raise AssertionError(f"not done within {within_s} s: {code}") from None
        text = shown.decode()
        print(f"$ {code.rstrip()}\n{text}", file=sys.stderr)
        assert process.returncode == 0, f"status {process.returncode}\n$ {code}\n{text}"
        assert "Traceback" not in text
        return text

    @asynccontextmanager
    async def leaves_running(
        self, code: str, until: str, *, within_s: float = 300, ends_with: tuple[int, ...] = (0,), **env: str
    ) -> AsyncIterator[Path]:
        """A program in a terminal of its own, once it shows `until`; the file holds what it shows. Ctrl-C ends it."""
        self._programs += 1
        shown = self._exports.with_name(f"shown-{self._programs}")
        with shown.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                "bash",
                "-c",
                code,
                cwd=self.folder,
                env={**self.env, **env},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

        def text() -> str:
            return shown.read_text(encoding="utf-8", errors="replace")

        def there() -> bool:
            assert process.returncode is None, f"ended with {process.returncode}\n{text()}"
            return until in text()

        try:
            await eventually(there, within_s, every_s=0.1)
            yield shown
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGINT)
            try:
                await asyncio.wait_for(process.wait(), 60)
            except TimeoutError:
                os.killpg(process.pid, signal.SIGKILL)
                raise AssertionError(f"Ctrl-C did not end it: {code}\n{text()}") from None
            print(f"$ {code.rstrip()}\n{text()}", file=sys.stderr)
        assert process.returncode in ends_with, f"ended with {process.returncode}\n{text()}"
        assert "Traceback" not in text()


def with_port(code: str, port: int) -> str:
    """The code for a gateway on that port: the documents' own, where it is free."""
    return code.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
