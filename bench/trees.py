"""Two states of this repository to be compared: a commit, unpacked, and the working tree, copied, so that it may change meanwhile.

Both run in the environment of this checkout. Where the package lies and how its command starts is read from each tree's own
pyproject.toml: the layout may differ between the two.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from bench.dialogue import MODEL
from bench.environments import Unavailable
from bench.machine import commit as described
from bench.peers import Command, Hayate, Site

PACKAGE = "hayate"
NEW_KEY = {
    "name": "bench",
    "models": [MODEL],
    "limits": {"requests_per_minute": 10**9, "tokens_per_minute": 10**9, "concurrency": 10**6},
}
"""Limits too high to be reached, so that every call is counted against each of them."""


@dataclass(frozen=True, slots=True)
class Tree:
    """One state: what to call it, where its package lies, and its command as `module:function`."""

    label: str
    source: Path
    entry: str

    @property
    def python(self) -> str:
        """The program that starts it."""
        module, _, function = self.entry.partition(":")
        return f"import sys; from {module} import {function}; sys.exit({function}())"

    @property
    def env(self) -> dict[str, str]:
        """In which its package is found before the installed one."""
        return {"PYTHONPATH": str(self.source)}


def committed(root: Path, revision: str, home: Path) -> Tree:
    """A commit of the repository at `root`, unpacked under `home`. Raises Unavailable."""
    full = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
    folder = home / "trees" / full
    if not folder.exists():
        unpacked = folder.with_name(f"{full}.part")
        shutil.rmtree(unpacked, ignore_errors=True)
        with tarfile.open(fileobj=io.BytesIO(_git(root, "archive", full))) as archive:
            archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11 has it from 3.11.4 on
            archive.extractall(unpacked)  # noqa: S202  a commit of our own
        unpacked.rename(folder)
    return _found(folder, full[:9])


def working(root: Path, home: Path) -> Tree:
    """The files of the repository at `root` as they are now, new ones included, copied under `home`."""
    folder = home / "trees" / "working"
    shutil.rmtree(folder, ignore_errors=True)
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").decode().split("\0")
    for name in filter(None, listed):
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)
    return _found(folder, described(root))


def _found(folder: Path, label: str) -> Tree:
    for file in sorted(folder.rglob("pyproject.toml"), key=lambda path: len(path.parts)):
        project = tomllib.loads(file.read_text(encoding="utf-8"))
        if project.get("project", {}).get("name") == PACKAGE:
            entry = project["project"]["scripts"][PACKAGE]
            where = (
                project.get("tool", {}).get("setuptools", {}).get("packages", {}).get("find", {}).get("where", ["."])
            )
            return _checked(Tree(label, file.parent / where[0], entry))
    raise Unavailable(f"{label}: no pyproject.toml of a project named {PACKAGE}")


def _checked(tree: Tree) -> Tree:
    """The interpreter must really find this tree's package, and not the installed one."""
    program = f"import {PACKAGE}, sys; sys.stdout.write({PACKAGE}.__path__[0])"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **tree.env}, capture_output=True, text=True, check=False
    )
    if Path(done.stdout) != tree.source / PACKAGE:
        last = (done.stderr.strip().splitlines() or [f"{PACKAGE} is found in {done.stdout}"])[-1]
        raise Unavailable(f"{tree.label}: {last}")
    return tree


def _git(root: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)
    except OSError as error:
        raise Unavailable(f"git: {error.strerror}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip() or "no such commit"
        raise Unavailable(f"git {' '.join(arguments)}: {said}")
    return done.stdout


class Side(Hayate):
    """One tree as a contender: the gateway started as in the other benchmark, from that tree's files; a key of a project's
    calls, whose requests and tokens are counted, if that tree has such keys.
    """

    def __init__(self, name: str, tree: Tree) -> None:
        self.name = name  # type: ignore[misc]  # two of a kind, so each has its own
        self.tree = tree

    def command(self, site: Site) -> Command:
        forget(site)
        usual = super().command(site)
        return Command([sys.executable, "-c", self.tree.python, "serve"], {**usual.env, **self.tree.env})

    def key(self, site: Site) -> str:
        return project_key(site)


def forget(site: Site) -> None:
    """Nothing that a process before this one has kept: its calls, its keys, the schema of another commit."""
    shutil.rmtree(site.home / "data", ignore_errors=True)


def project_key(site: Site) -> str:
    """A new key of a project of the gateway at `site`; the gateway's own where it has no such keys.

    Raises Unavailable where it has and makes none: other calls than those that were meant would be measured.
    """
    operators = site.home / "data" / "admin_key"
    if not operators.exists():
        return site.key
    headers = {
        "authorization": f"Bearer {operators.read_text(encoding='ascii').strip()}",
        "content-type": "application/json",
    }
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    try:
        connection.request("POST", "/admin/keys", json.dumps(NEW_KEY), headers)
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    if answer.status not in {201, 404}:
        raise Unavailable(f"no key was made: status {answer.status}: {said.decode(errors='replace')[:200]}")
    return str(json.loads(said)["key"]) if answer.status == 201 else site.key
