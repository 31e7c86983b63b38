"""What `-h` shows: every verb and option in both languages, in the columns of a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len

from hayate.tools.help import wrapped
from tests.support.tables import table
from tests.support.typed import commands, typed_in


def verbs(group: object = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group, by what is typed for it."""
    group = commands() if group is None else group
    yield path
    for name, each in getattr(group, "commands", {}).items():
        yield from verbs(each, (*path, name))


def shown(*words: str, **env: str) -> str:
    told = typed_in(*words, env={"LANG": "C", "HAYATE_LANG": "", "COLUMNS": "80", **env})
    assert told.exit_code == 0
    return told.output


VERBS = list(verbs())


def test_there_are_as_many_as_there_are() -> None:
    assert {("up",), ("serve",), ("key",), ("bench",), ("plan",), ("models",), ("check-config",), ()} <= {*VERBS}


@table("words", VERBS)
@table("lang", ["en", "ja"])
@table("option", ["-h", "--help"])
def test_help_fits_a_terminal_in_either_language(words: tuple[str, ...], lang: str, option: str) -> None:
    said = shown(*words, option, HAYATE_LANG=lang)
    assert said.startswith("Usage: " if lang == "en" else "使い方: ")
    assert max(cell_len(line) for line in said.splitlines()) <= 80
    assert said.replace("疾風 ", "").isascii() is (lang == "en")


@table("words", VERBS)
def test_everything_has_words_and_the_japanese_has_no_english_left(words: tuple[str, ...]) -> None:
    said = shown(*words, "-h", HAYATE_LANG="ja")
    rows = re.split(r"\n(?=  \S)", said.partition("オプション:\n")[2])
    assert rows
    for row in rows:
        assert re.search(r"[ぁ-ん一-龠]", row.partition("  ")[2]), row


def test_the_locale_decides_too() -> None:
    assert "使い方" in shown("-h", LANG="ja_JP.UTF-8")
    assert "Usage" in shown("-h", LANG="ja_JP.UTF-8", HAYATE_LANG="en")


@table(
    ("text", "width", "lines"),
    [
        ("one two three", 8, ["one two", "three"]),
        ("あいうえお", 6, ["あいう", "えお"]),
        ("あいう。えお", 6, ["あい", "う。え", "お"]),
        ("あい（うえ", 6, ["あい", "（うえ"]),
        ("HAYATE_CONFIG", 4, ["HAYATE_CONFIG"]),
        ("", 4, []),
    ],
)
def test_lines_break_where_a_typesetter_would(text: str, width: int, lines: list[str]) -> None:
    assert wrapped(text, width) == lines


def test_what_must_be_typed_is_told_and_comes_first() -> None:
    said = shown("key", "create", "-h")
    assert re.search(r"Options:\n  --name TEXT +What .*\[required\]", said)
    assert " key rotate KEY [OPTIONS]" in shown("key", "rotate", "-h")
    assert " check-config [FILE] [OPTIONS]" in shown("check-config", "-h")


def test_a_group_that_does_something_by_itself_shows_its_options_too() -> None:
    said = shown("key", "-h", HAYATE_LANG="ja")
    assert " key [コマンド] [オプション]" in said
    assert re.search(r"--rotate +新しいAPIキーに", said)
