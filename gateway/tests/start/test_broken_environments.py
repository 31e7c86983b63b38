"""Whatever is wrong around the first start: one line in the reader's language that names what to mend, no traceback, and who does
what it says is helped.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.start.broken import BROKEN
from tests.start.mistakes import LISTENING, LOADED, TINY
from tests.start.nursery import Nursery, nursery
from tests.support.ports import free_port
from tests.support.quick import slow

PAST_IT = {"serve": LISTENING, "up": LOADED, "key": "sk-hayate-"}


@pytest.fixture(scope="module")
def born() -> Iterator[Nursery]:
    with nursery() as made:
        yield made


def settings(folder: Path, env: Mapping[str, str]) -> dict[str, str]:
    """A plain environment, in which everything is right but what `env` says."""
    plain = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "MODEL": TINY}
    plain |= {"HAYATE_PORT": str(free_port()), "HAYATE_DATA": str(folder / "data"), "BACKEND_URL": "http://127.0.0.1:9"}
    return {**plain, "HAYATE_LOG": "json", **env}


SIBLINGS = {
    "the data folder lies below a file",
    "the port is taken, of up",
    "the host's name is not known",
    "the key has a line break in it",
    "the operator's key is too short",
    "the model is no name at all",
}
"""Others show the same of another case."""


@pytest.mark.parametrize("name", [*sorted(BROKEN.keys() - SIBLINGS), *slow(*sorted(SIBLINGS))])
def test_it_is_told_in_one_line_and_the_advice_helps(born: Nursery, tmp_path: Path, name: str) -> None:
    folder = tmp_path
    broken = BROKEN[name]
    with broken.around() as around:
        env = settings(folder, {**(around or {}), **broken.env(folder)})
        told = None
        for language, pattern in (("ja_JP.UTF-8", broken.japanese), ("en_US.UTF-8", broken.english)):
            process = born([broken.verb], {**env, "LANG": language}, folder, plain=broken.plain, full=broken.full)
            assert process.until() in (1, 2), process.said()
            *before, line = process.said().splitlines()
            assert all("ownload" in each or "ダウンロード" in each for each in before), before
            told = re.search(pattern, line)
            assert told, line
            assert "Errno" not in line
        assert told is not None
        cured = {**env, **broken.cure(folder, told)}
        process = born([broken.verb], cured, folder, plain=broken.plain)
        process.until(PAST_IT[broken.verb])
        assert PAST_IT[broken.verb] in process.said()
        if broken.verb == "up":  # its engine is loading, which is none of our concern
            process.stop(signal.SIGKILL)
        else:
            assert (process.until() if broken.verb == "key" else process.stop()) == 0
        assert "Traceback" not in process.said()


def run(folder: Path, *words: str, through: tuple[str, ...] = (), **env: str) -> subprocess.CompletedProcess[bytes]:
    """The command as a shell starts it."""
    hayate = str(Path(sys.executable).with_name("hayate"))
    inherited = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    return subprocess.run(
        [*through, hayate, *words],
        cwd=folder,
        env={**inherited, **settings(folder, env)},
        capture_output=True,
        check=False,
        timeout=120,
    )


LIKE_OTHERS = ("none", "one that nobody has")
LOCALES: dict[str, tuple[dict[str, str], str]] = {
    "none": ({}, "has only"),
    "C": ({"LC_ALL": "C"}, "has only"),
    "POSIX, and Python may not mend it": (
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "HAYATE_LANG": "ja"},
        "が短すぎます",
    ),
    "Shift JIS, which this machine need not have": ({"LC_ALL": "ja_JP.SJIS"}, "が短すぎます"),
    "one that nobody has": ({"LANG": "xx_YY.UTF-99"}, "has only"),
}


@pytest.mark.parametrize("name", [*sorted(LOCALES.keys() - {*LIKE_OTHERS}), *slow(*LIKE_OTHERS)])
def test_an_odd_locale_changes_the_language_at_most(tmp_path: Path, name: str) -> None:
    env, said = LOCALES[name]
    done = run(tmp_path, "serve", through=(), HAYATE_API_KEY="short", **env)
    assert done.returncode == 2
    (line,) = done.stderr.decode("utf-8").splitlines()
    assert line.startswith("HAYATE_API_KEY")
    assert said in line


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """A disk of one page, which a file fills already; only a mount makes one, so only where this user may have a namespace."""
    (tmp_path / "disk").mkdir()
    script = 'mount -t tmpfs -o size=4k none disk && head -c 4096 /dev/zero >disk/x; HAYATE_DATA=disk exec "$@"'
    through = ("unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh")
    if subprocess.run([*through[:3], "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no namespace of one's own: a full disk can't be made")
    english, japanese = (run(tmp_path, "serve", through=through, LANG=each).stderr.decode() for each in ("C", "ja_JP"))
    assert english.startswith("disk/api_key can't be used: the disk is full. Name a folder")
    assert japanese.startswith("disk/api_keyを使用できません（ディスクに空きがありません）。")
    assert len(english.splitlines()) == len(japanese.splitlines()) == 1


def test_without_a_home_it_starts(tmp_path: Path) -> None:
    done = run(tmp_path, "key", through=("env", "-u", "HOME"))
    assert b"Traceback" not in done.stderr
    assert done.returncode == 1, "there is no key yet, and that is all"
