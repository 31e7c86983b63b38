"""Every mistake of a broken configuration is told at once, in both languages, with its place; and who does as told is done."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from hayate.config.load import examine
from hayate.config.mistakes import ConfigError
from hayate.language import Text
from hayate.serve.specs import start_mistakes
from tests.support.broken_configs import BROKEN, Broken

JAPANESE = re.compile(r"[ぁ-んァ-ヶ一-龠]")
ADVISED = re.compile(r"(?:; write |did you mean )(\S+?)[?,]?(?: \(|$)")


def checked(folder: Path, file: str | bytes | None, env: Mapping[str, str]) -> list[Text]:
    """What is odd; raises ConfigError where it is wrong."""
    path = None
    if file is not None and "HAYATE_CONFIG" not in env:
        path = folder / "config.yaml"
        path.write_bytes(file.encode() if isinstance(file, str) else file)
    return examine(path, env, check=start_mistakes)[1]


def refused(folder: Path, case: Broken) -> ConfigError:
    with pytest.raises(ConfigError) as found:
        checked(folder, case.file, case.env)
    return found.value


def sources(folder: Path, case: Broken) -> str:
    return case.env.get("HAYATE_CONFIG", f"{folder}/config.yaml")


@pytest.mark.parametrize("case", BROKEN, ids=[each.name for each in BROKEN])
def test_every_mistake_is_told_and_no_other(tmp_path: Path, case: Broken) -> None:
    error = refused(tmp_path, case)
    english = [line.removeprefix(f"{sources(tmp_path, case)}: ") for line in error.english.splitlines()]
    japanese = [line.removeprefix(f"{sources(tmp_path, case)}: ") for line in error.japanese.splitlines()]
    assert len(english) == len(japanese) == len(case.says), "\n".join(english)
    for place, words, its_words in case.says:
        in_environment = place.partition(" ")[0].isupper()
        begins = f"environment: {place}: " if in_environment else f"{place}: " if place else ""
        number = next((n for n, line in enumerate(english) if line.startswith(begins) and words in line), None)
        assert number is not None, f"{begins}…{words} is not among\n" + "\n".join(english)
        told = japanese[number]
        assert its_words in told, told
        assert JAPANESE.search(told)
        name, _, path = place.rstrip(")").partition(" (")
        if in_environment:
            assert told.startswith(f"環境変数{name}" + (f"（{path}）" if path else "") + ": ")
        elif place.startswith("line "):
            assert told.startswith(re.sub(r"^line (\d+)", r"\1行目", place) + ": ")


@pytest.mark.parametrize("case", BROKEN, ids=[each.name for each in BROKEN])
def test_who_follows_the_advice_is_done(tmp_path: Path, case: Broken) -> None:
    error = refused(tmp_path, case)
    cured = f"{case.cured} {' '.join(case.cured_env.values())}"
    for line in error.english.splitlines():
        for advised in ADVISED.findall(line):
            assert advised in cured, "what the advice names is what cured it"
    checked(tmp_path, case.cured, case.cured_env)


@pytest.mark.parametrize("case", BROKEN, ids=[each.name for each in BROKEN])
def test_no_words_of_a_library_and_no_secret_are_shown(tmp_path: Path, case: Broken) -> None:
    error = refused(tmp_path, case)
    for said in (error.english, error.japanese):
        assert not re.search(r"[Ii]nput should|valid (?:tuple|dictionary|string)|pydantic|yaml\.|Errno|s3cret", said), (
            said
        )
    for line in error.japanese.splitlines():
        assert JAPANESE.search(line), line


def test_there_are_enough_of_them_and_each_is_named_once() -> None:
    assert len({each.name for each in BROKEN}) == len(BROKEN) >= 40
