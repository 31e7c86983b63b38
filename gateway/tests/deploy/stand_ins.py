"""Stand-ins for the engines' programs: they write down how they were called, and the launch scripts can't tell the difference."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import LAST_RESORT_S

REPOSITORY = Path(__file__).parents[3]
LLM = REPOSITORY / "llm"
RECORD = """#!{python}
import json, os, sys
with open({calls!r}, "a", encoding="utf-8") as out:
    out.write(json.dumps({{"argv": [os.path.basename(sys.argv[0]), *sys.argv[1:]], "env": dict(os.environ)}}) + "\\n")
"""


@dataclass(frozen=True)
class Call:
    """One run of a stand-in."""

    argv: list[str]
    env: dict[str, str]

    def value(self, flag: str) -> str:
        """What follows a flag."""
        assert self.argv.count(flag) == 1, f"{flag} in {self.argv}"
        return self.argv[self.argv.index(flag) + 1]

    def __contains__(self, flag: str) -> bool:
        return flag in self.argv


@dataclass(frozen=True)
class Bench:
    """A folder of stand-ins, and what they were called with."""

    folder: Path

    @property
    def calls_file(self) -> Path:
        return self.folder / "calls.jsonl"

    def stand_in(self, name: str, more: str = "") -> None:
        """A program called `name` that records its call, then does `more` (Python)."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(RECORD.format(python=sys.executable, calls=str(self.calls_file)) + more, encoding="utf-8")
        path.chmod(0o755)

    def run(self, script: str, *arguments: str, expect: int = 0, **env: str) -> str:
        """Runs llm/<script> with nothing but `env`; its stderr."""
        settings = {"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", "HOME": str(self.folder), **env}
        done = subprocess.run(
            ["bash", LLM / script, *arguments],
            env=settings,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=LAST_RESORT_S,
            check=False,
        )
        assert done.returncode == expect, done.stderr
        return done.stderr

    def calls(self) -> list[Call]:
        if not self.calls_file.exists():
            return []
        return [Call(**json.loads(line)) for line in self.calls_file.read_text(encoding="utf-8").splitlines()]

    def call(self) -> Call:
        (only,) = self.calls()
        return only
