"""`make` sets up what is needed, notices an environment that can't be used any more and makes it anew; and says in one line, in
either language, what is wrong, and what to do where only a person can help.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.start.tiny_project import Project, new_project
from tests.support.quick import slow

MADE = "Making a private environment"
QUICK = "its folder was moved"
BREAKS = {
    "its folder was moved": ("", "this folder was moved", "フォルダーが移動されています"),
    "its Python is gone": (
        "ln -sf /nowhere/python3 .venv/bin/python",
        "the Python it was made of is gone",
        "元のPythonがなくなっています",
    ),
    "its Python was replaced": (
        "sed -i 's/^version = .*/version = 3.9.1/' .venv/pyvenv.cfg",
        "the Python it was made of has been replaced",
        "元のPythonが別の版に置き換わっています",
    ),
    "it was left half made": ("rm .venv/.place .venv/.run", "it was left half made", "作成が途中で終わっています"),
    "it was hardly begun": ("rm -r .venv/bin", "it was left half made", "作成が途中で終わっています"),
    "it has no pip": ("rm -r .venv/lib/python3*/site-packages/pip", "it has no pip", "pipがありません"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was set up, and is not touched any more."""
    project = new_project(tmp_path_factory.mktemp("whole"))
    first = project.make("run")
    assert first.stdout == f"hayate is at {project.folder}\n", first.stderr
    assert [line.split(" with ")[0] for line in first.stderr.splitlines()] == [
        f"{MADE} in .venv",
        "Installing the locked packages ...",
        "  2/2 unpacking ...",
    ]
    return project


def test_once_set_up_nothing_is_done_and_nothing_said(whole: Project) -> None:
    again = whole.make("run")
    assert (again.returncode, again.stderr) == (0, "")


def broken_copy(whole: Project, place: Path, script: str) -> Project:
    """The project as somebody's mishap leaves it."""
    project = whole.copy(place)
    project.sh(script)
    return project


@pytest.mark.parametrize(
    "broken", [QUICK, "its Python is gone", *slow(*sorted(BREAKS.keys() - {QUICK, "its Python is gone"}))]
)
def test_why_an_environment_is_made_anew_is_told(whole: Project, tmp_path: Path, broken: str) -> None:
    script, english, japanese = BREAKS[broken]
    for language, said, then in (
        ("en", f"Making .venv anew: {english}.", "The environment can't be made (the reason is above)."),
        ("ja", f".venvを作り直します（{japanese}）。", "環境を作成できません（理由は上に表示されています）。"),
    ):
        project = broken_copy(whole, tmp_path / language, script)
        told = project.make("run", starved=True, LANG=f"{language}_XX.UTF-8")
        assert told.returncode != 0
        assert told.stderr.splitlines()[0] == said
        assert then in told.stderr.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("broken", sorted(BREAKS))
def test_what_was_made_anew_works(whole: Project, tmp_path: Path, broken: str) -> None:
    project = broken_copy(whole, tmp_path, BREAKS[broken][0])
    assert project.make("run").stdout == f"hayate is at {project.folder}\n"
    assert project.make("run").stderr == ""


def test_an_installation_that_was_broken_off_goes_on(whole: Project, tmp_path: Path) -> None:
    project = whole.copy(tmp_path)
    project.sh(
        "pwd -P >.venv/.place; rm .venv/.run; cd .venv/lib/python3*/site-packages; rm alpha.py alpha-*/INSTALLER"
    )
    away = project.make("run", PIP_FIND_LINKS=str(tmp_path))
    assert away.returncode != 0
    assert away.stderr.splitlines()[-2].startswith("The packages could not be installed")
    told = project.make("run", PIP_FIND_LINKS=str(tmp_path), LANG="ja_JP.UTF-8").stderr
    assert "取得済みのものは再利用されます" in told
    again = project.make("run")
    assert again.stdout == f"hayate is at {project.folder}\n"
    assert MADE not in again.stderr


def test_a_changed_lock_is_installed_and_the_environment_stays(whole: Project, tmp_path: Path) -> None:
    project = whole.copy(tmp_path)
    project.sh("pwd -P >.venv/.place; echo '# changed' >>gateway/requirements-embedded.txt")
    assert "Installing the locked packages ..." in (changed := project.make("setup")).stderr
    assert MADE not in changed.stderr
    assert project.make("setup").stderr == ""


def old_python() -> str | None:
    """A Python of before 3.11, if this machine has one."""
    for name in ("python3.10", "python3.9", "python3.8", "python2.7"):
        found = shutil.which(name)
        if found and subprocess.run([found, "-c", "import sys"], capture_output=True, check=False).returncode == 0:
            return found
    return None


def stand_in(folder: Path, name: str, says: str) -> Path:
    """A program that answers as a Python would that `says` this of itself."""
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="ascii")
    program.chmod(0o755)
    return program


REFUSED = {
    "/no/such/python": ("there is no such program", "そのようなプログラムはありません"),
    "/bin/true": ("is no Python that runs", "Pythonとして実行できません"),
    "/bin/false": ("is no Python that runs", "Pythonとして実行できません"),
}


@pytest.mark.parametrize("named", REFUSED)
def test_a_python_that_will_not_do_is_refused_before_anything_is_made(tmp_path: Path, named: str) -> None:
    project = new_project(tmp_path)
    for language, said in zip(("en_US.UTF-8", "ja_JP.UTF-8"), REFUSED[named], strict=True):
        refused = project.make("run", f"PYTHON={named}", LANG=language)
        assert refused.returncode != 0
        assert refused.stderr.splitlines()[0].startswith(f"PYTHON={named}")
        assert said in refused.stderr
        assert not (project.folder / ".venv").exists()
    cured = project.make("run", f"PYTHON={Path(sys.base_prefix) / 'bin/python3'}", starved=True)
    assert cured.stderr.startswith(MADE)


def test_a_too_old_python_is_named_with_its_version(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    old = old_python() or str(stand_in(tmp_path, "python3.10", "3.10.12\nold"))
    refused = project.make("setup", f"PYTHON={old}")
    assert f"PYTHON={old} is Python " in refused.stderr
    assert "python3.12" in refused.stderr or "python3" in refused.stderr
    assert not (project.folder / ".venv").exists()


SYSTEMS = {
    "jammy": (
        'PRETTY_NAME="Ubuntu 22.04.5 LTS"\nUBUNTU_CODENAME=jammy\n',
        ["ppa:deadsnakes/ppa", "uv python", "pyenv"],
    ),
    "noble": ('PRETTY_NAME="Ubuntu 24.04 LTS"\nUBUNTU_CODENAME=noble\n', ["apt install python3 python3-venv"]),
    "bullseye": ('PRETTY_NAME="Debian 11"\nVERSION_CODENAME=bullseye\n', ["uv python install 3.12", "pyenv"]),
}
TOOLS = ("sh", "bash", "make", "uname", "dirname", "cat", "grep", "awk", "rm")


def with_only(folder: Path, **programs: str) -> str:
    """A path with the plainest of tools, and these programs that answer so."""
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(str(shutil.which(tool)))
    for name, says in programs.items():
        stand_in(folder, name, says)
    return str(folder)


@pytest.mark.parametrize("system", SYSTEMS)
def test_where_python_is_too_old_it_is_said_how_this_system_gets_one(tmp_path: Path, system: str) -> None:
    project = new_project(tmp_path)
    release, hints = SYSTEMS[system]
    (tmp_path / "os-release").write_text(release, encoding="ascii")
    env = {"PATH": with_only(tmp_path / "bin", python3="3.10.12\nold"), "OS_RELEASE": str(tmp_path / "os-release")}
    english, japanese = (project.make("run", starved=False, **env, LANG=each) for each in ("C", "ja_JP.UTF-8"))
    assert english.stderr.startswith("Python 3.11 or newer is needed, and python3 is 3.10.12.\n")
    assert japanese.stderr.startswith("Python 3.11以降が必要ですが、python3は3.10.12です。\n")
    for hint in hints:
        assert hint in english.stderr
        assert hint in japanese.stderr


@pytest.mark.parametrize(
    ("system", "hint"), [("Darwin", "brew install python@3.12"), ("MINGW64_NT-10.0", "wsl --install")]
)
def test_other_systems_are_told_their_own_way(tmp_path: Path, system: str, hint: str) -> None:
    project = new_project(tmp_path)
    path = with_only(tmp_path / "bin")
    (Path(path) / "uname").unlink()
    stand_in(Path(path), "uname", system)
    for language, said in (("C", "and none is on the path"), ("ja_JP.UTF-8", "見つかりません")):
        told = project.make("run", PATH=path, LANG=language).stderr
        assert said in told
        assert hint in told


def test_a_python_without_venv_is_told_which_package_brings_it(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    path = with_only(tmp_path / "bin", python3="3.12.3\nbare")
    for language, said in (("C", "has no venv module"), ("ja_JP.UTF-8", "venvモジュールがありません")):
        told = project.make("run", PATH=path, LANG=language).stderr
        assert said in told
        assert "sudo apt install python3.12-venv" in told
