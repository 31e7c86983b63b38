"""A project as small as can be, set up by our own Makefile and scripts: two wheels made here in place of the locked packages, and
a `hayate` that only says where it is. Everything else is the real thing: make, bash, venv, pip.
"""

from __future__ import annotations

import base64
import hashlib
import os
import resource
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = "はやて 道具"
BACKEND = '''"""An editable wheel: a path, and a command."""
import pathlib, zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "hayate-0.1.0-py3-none-any.whl"
    info = "hayate-0.1.0.dist-info/"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        wheel.writestr("hayate.pth", str(pathlib.Path("src").resolve()) + "\\n")
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: hayate\\nVersion: 0.1.0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "entry_points.txt", "[console_scripts]\\nhayate = hayate:main\\n")
        wheel.writestr(info + "RECORD", "")
    return name
'''
PROJECT = """[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "hayate"
version = "0.1.0"
"""
HAYATE = """import pathlib
def main():
    import alpha, beta
    print("hayate is at", pathlib.Path(__file__).parents[3])
"""


@dataclass(frozen=True, slots=True)
class Project:
    """A folder to run `make` in, and the wheels it is offered."""

    folder: Path
    wheels: Path

    def make(self, *words: str, starved: bool = False, **env: str) -> subprocess.CompletedProcess[str]:
        """`make` with these words; `starved`: on a disk that takes nothing more."""
        return self._run(["make", *words], starved=starved, **env)

    def sh(self, script: str) -> None:
        """What a person does to it by hand."""
        assert self._run(["sh", "-ec", script]).returncode == 0

    def copy(self, folder: Path) -> Project:
        """The same in another folder, as `cp -a` leaves it."""
        shutil.copytree(self.folder, folder / FOLDER, symlinks=True, copy_function=_copied)
        return Project(folder / FOLDER, self.wheels)

    def _run(self, command: list[str], *, starved: bool = False, **env: str) -> subprocess.CompletedProcess[str]:
        settings = {
            "PATH": f"{Path(sys.base_prefix) / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.wheels),
            "LANG": "C.UTF-8",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": self.wheels.as_uri(),
            **env,
        }
        return subprocess.run(
            command,
            cwd=self.folder,
            env=settings,
            preexec_fn=_nothing_more if starved else None,
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        )


def _copied(source: str, target: str) -> None:
    """What pip put there is many files, and never written to in place: another name for each is as good."""
    if "/site-packages/" in source:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def _nothing_more() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def new_project(place: Path, programs: Mapping[str, str] | None = None) -> Project:
    """A fresh clone of it in a folder with a blank and Japanese in its name; nothing is set up."""
    folder, wheels = place / FOLDER, place / "wheels"
    gateway = folder / "gateway"
    (gateway / "scripts").mkdir(parents=True)
    (gateway / "src/hayate").mkdir(parents=True)
    wheels.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copy(ROOT / "gateway/scripts/setup", gateway / "scripts")
    (gateway / "backend.py").write_text(BACKEND, encoding="utf-8")
    (gateway / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (gateway / "src/hayate/__init__.py").write_text(HAYATE, encoding="utf-8")
    for lock, package in (("build", "alpha"), ("embedded", "beta"), ("dev", "beta")):
        (gateway / f"requirements-{lock}.txt").write_text(_locked(wheels, package), encoding="utf-8")
    return Project(folder, wheels)


def _locked(wheels: Path, name: str) -> str:
    """A wheel with one module, and its line in a lock file."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
    path = wheels / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(zipfile.ZipInfo(file), text)
    return f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
