"""What is typed, the environment and `.env`: which of them wins, and that `.env` is read as compose reads it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hayate.tools.environment import Environment, Origin, alone, read_environment


def read(folder: Path, text: str | bytes, **process: str) -> Environment:
    (folder / ".env").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_environment(process, folder)


def test_what_is_typed_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    env = read(tmp_path, "A=file\nB=file\nC=file\nEMPTY=file\n", A="environment", B="environment", EMPTY="")
    env = env.typing(A="typed", D=None)
    assert dict(env) == {"A": "typed", "B": "environment", "C": "file", "EMPTY": ""}
    assert len(env) == 4
    origins = {name: env.origin(name) for name in "ABCD"}
    assert origins == {"A": Origin("typed"), "B": Origin("environment"), "C": Origin("file", 3), "D": None}
    assert "D" not in env


def test_without_a_file_the_environment_is_all_there_is(tmp_path: Path) -> None:
    assert dict(read_environment({"A": "1"}, tmp_path)) == {"A": "1"}
    (tmp_path / ".env").mkdir()
    assert read_environment({"A": "1"}, tmp_path) == alone({"A": "1"})
    assert read_environment({}, tmp_path / "nowhere") == alone({})


READ = {
    "plain": ("A=b c", "b c"),
    "nothing": ("A=", ""),
    "a comment behind it": ("A=b # c", "b"),
    "a mark inside it": ("A=b#c", "b#c"),
    "a comment in place of it": ("A= # c", ""),
    "export": ("export A=b", "b"),
    "double quotes": ('A="b # c"', "b # c"),
    "single quotes": ("A='b # $c'", "b # $c"),
    "an escape": ('A="b\\nc"', "b\nc"),
    "several lines": ('A="b\nc"', "b\nc"),
    "another variable": ("X=1\nA=${X}2", "12"),
    "one of the environment": ("A=${HOST}", "h"),
    "one that is not there": ("A=${NONE:-c}", "c"),
    "none in single quotes": ("A='${HOST}'", "${HOST}"),
    "blanks around": ("  A = b  ", "b"),
    "windows": ("X=1\r\nA=b\r\n", "b"),
    "a byte order mark": ("\ufeffA=b", "b"),
    "Japanese": ("A=鍵", "鍵"),
    "the last one": ("A=1\nA=b", "b"),
}


@pytest.mark.parametrize(("text", "value"), READ.values(), ids=READ)
def test_the_file_is_read_as_compose_reads_it(tmp_path: Path, text: str, value: str) -> None:
    env = read(tmp_path, text, HOST="h")
    assert env["A"] == value
    assert env.complaints == ()


def test_a_line_that_is_none_is_told_with_its_number_and_the_others_hold(tmp_path: Path) -> None:
    env = read(tmp_path, "# all of it\nA=1\n\nthis is no line\nB='open\nC=3\nBARE\n")
    assert (env["A"], env["C"]) == ("1", "3")
    assert [each.en.split(":")[0] for each in env.complaints] == [".env line 4 is left out", ".env line 5 is left out"]
    assert "4行目" in env.complaints[0].ja
    assert "BARE" not in env


def test_what_is_no_text_is_left_alone_and_told(tmp_path: Path) -> None:
    env = read(tmp_path, b"A=\xff\xfe", A="1")
    assert dict(env) == {"A": "1"}
    assert "UTF-8" in env.complaints[0].en
    assert "UTF-8" in env.complaints[0].ja


def test_a_command_leaves_alone_what_the_file_says_of_some_names(tmp_path: Path) -> None:
    env = read(tmp_path, "MODEL=a\nBACKEND_URL=b\nOTHER=c\n", MODEL="mine").leaving(("MODEL", "BACKEND_URL", "NONE"))
    assert dict(env) == {"MODEL": "mine", "OTHER": "c"}
    assert env.left == ("BACKEND_URL",)


def test_libraries_are_lent_what_they_read_for_themselves_and_nothing_else(tmp_path: Path) -> None:
    process = {"HF_HOME": "/mine"}
    read(tmp_path, "HF_TOKEN=t\nHF_HOME=/theirs\nHAYATE_API_KEY=k\n", **process).lend(process)
    assert process == {"HF_HOME": "/mine", "HF_TOKEN": "t"}


def test_the_file_says_in_which_language_too(tmp_path: Path) -> None:
    assert read(tmp_path, "HAYATE_LANG=ja\n", LANG="C").language == "ja"
    assert read(tmp_path, "HAYATE_LANG=ja\n", HAYATE_LANG="en").language == "en"


def test_main_alone_reads_the_folder(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HAYATE_LANG=ja\n", encoding="utf-8")
    said = "from typer.testing import CliRunner; print(CliRunner().invoke(app, ['-h'], env={'LANG': 'C'}).output)"
    for run, spoken in (("main()", "使い方"), (said, "Usage")):
        code = f"import sys; sys.argv = ['hayate', '-h']; from hayate.cli import app, main; {run}"
        shown = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={"PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        )
        assert spoken in shown.stdout.decode()
