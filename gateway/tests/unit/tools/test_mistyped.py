"""Whatever is mistyped is a line and where the help is, in either language; never a traceback."""

from __future__ import annotations

from typer.testing import Result

from hayate.tools.mistyped import shown
from tests.support.tables import table
from tests.support.typed import typed_in


def typed(*words: str, lang: str) -> Result:
    return typed_in(*words, env={"LANG": "C", "HAYATE_LANG": lang})


MISTAKES = {
    "a command": (
        ("upp",),
        "There is no command upp. Did you mean up?",
        "コマンド「upp」はありません。upのことですか？",
    ),
    "an unknown command": (("frobnicate",), "There is no command frobnicate.", "コマンド「frobnicate」はありません。"),
    "an option": (
        ("up", "--prt"),
        "There is no option --prt. Did you mean --port?",
        "オプション「--prt」はありません。--portのことですか？",
    ),
    "a short option": (("serve", "-z"), "There is no option -z.", "オプション「-z」はありません。"),
    "a word for a number": (
        ("serve", "--port", "abc"),
        "--port: a whole number from 0 to 65535 is expected.",
        "--portには0から65535までの整数を指定してください。",
    ),
    "a number too large": (
        ("up", "--port", "65536"),
        "--port: a whole number from 0 to 65535 is expected.",
        "--portには0から65535までの整数を指定してください。",
    ),
    "a number too small": (
        ("up", "--threads", "0"),
        "--threads: a whole number of at least 1 is expected.",
        "--threadsには1以上の整数を指定してください。",
    ),
    "a fraction": (
        ("bench", "--timeout", "x"),
        "--timeout: a number is expected.",
        "--timeoutには数値を指定してください。",
    ),
    "no value": (("serve", "--host"), "--host needs a value.", "--hostには値が必要です。"),
    "a value too many": (("key", "--rotate=1"), "--rotate takes no value.", "--rotateに値は指定できません。"),
    "a word too many": (("status", "it"), "Too much was typed: it", "余分な引数があります: it"),
    "a command of a group": (("key", "xyz"), "There is no command xyz.", "コマンド「xyz」はありません。"),
    "another word than those there are": (
        ("usage", "--by", "week"),
        "--by: one of key, project, model, deployment, path, day, hour is expected.",
        "--byにはkey、project、model、deployment、path、day、hourのいずれかを指定してください。",
    ),
}


@table(("words", "english", "japanese"), MISTAKES.values())
def test_a_mistake_is_one_line_and_where_the_help_is(words: tuple[str, ...], english: str, japanese: str) -> None:
    for lang, said, more in (("en", english, "-h` shows what it takes."), ("ja", japanese, "-h」で表示します。")):
        told = typed(*words, lang=lang)
        assert (told.exit_code, told.stdout) == (2, "")
        assert told.stderr.splitlines()[0] == said
        assert told.stderr.splitlines()[1].endswith(more)
        assert len(told.stderr.splitlines()) == 2


def test_nothing_typed_is_the_help() -> None:
    assert "使い方" in typed(lang="ja").output
    assert "Usage" in typed(lang="en").output


def test_the_version_is_told_alone() -> None:
    told = typed("--version", lang="ja")
    assert told.exit_code == 0
    assert told.stdout.startswith("hayate 0.")


def test_what_was_typed_is_shown_without_what_would_move_the_cursor() -> None:
    assert shown("a\x1b[2Jb\n") == "a?[2Jb?"
    assert len(shown("x" * 5000)) == 100
