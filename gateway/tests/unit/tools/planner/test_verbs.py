"""`hayate models` and `hayate plan` speak the language of whoever types, and end with the status of their bodies."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import Result

from tests.support.typed import typed_in

NOTHING: dict[str, str | None] = dict.fromkeys(("HAYATE_LANG", "LC_ALL", "LC_MESSAGES", "LANG", "HAYATE_MODELS"))
JAPANESE = ({"HAYATE_LANG": "ja"}, {"LANG": "ja_JP.UTF-8"}, {"LC_ALL": "ja_JP.UTF-8", "LANG": "C"})
ENGLISH: tuple[dict[str, str], ...] = (
    {},
    {"LANG": "C.UTF-8"},
    {"LANG": "de_DE.UTF-8"},
    {"HAYATE_LANG": "en", "LANG": "ja_JP.UTF-8"},
)


def typed(*words: str, env: dict[str, str]) -> Result:
    """The command in an environment that says only this of its language."""
    return typed_in(*words, env={**NOTHING, **env})


@pytest.mark.parametrize("env", JAPANESE, ids=str)
def test_a_japanese_environment_is_spoken_to_in_japanese(env: dict[str, str]) -> None:
    assert "コンテキスト" in typed("models", env=env).stdout
    assert "✔ 収まります" in typed("plan", "--gpu", "24", env=env).stdout
    assert "次の名前を指定してください" in typed("plan", "--gpu", "abacus", env=env).stderr


@pytest.mark.parametrize("env", ENGLISH, ids=str)
def test_every_other_environment_is_spoken_to_in_english(env: dict[str, str]) -> None:
    assert "context" in typed("models", env=env).stdout
    assert "✔ fits" in typed("plan", "--gpu", "24", env=env).stdout
    assert "give a size" in typed("plan", "--gpu", "abacus", env=env).stderr


def test_the_status_is_that_of_the_answer() -> None:
    assert typed("models", env={}).exit_code == 0
    assert typed("models", env={"HAYATE_MODELS": "/nowhere.yaml"}).exit_code == 2
    for gpu, status in (("80", 0), ("8", 1), ("abacus", 2)):
        assert typed("plan", "--gpu", gpu, "--model", "Qwen2.5-7B-Instruct", env={}).exit_code == status


def test_help_describes_both_in_a_sentence() -> None:
    said = typed("--help", env={}).stdout
    assert "List the catalogue" in said
    assert "Say what fits on a GPU" in said


def test_a_file_that_can_not_be_read_is_a_line_in_either_language(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for lang, folder, octets in (
        ("en", "can't be read", "not in UTF-8"),
        ("ja", "読み取れません", "UTF-8ではありません"),
    ):
        for path, said in ((tmp_path, folder), (tmp_path / "bytes", octets)):
            for words in (
                ("models", "--catalogue", str(path)),
                ("plan", "--gpu", "24", "--model", "Qwen2.5-7B-Instruct", "--write", "--env-file", str(path)),
            ):
                told = typed(*words, env={"HAYATE_LANG": lang})
                assert told.exit_code == 2
                assert told.stderr.splitlines()[-1].startswith(f"{path}: ")
                assert said in told.stderr
                assert "Errno" not in told.stderr
