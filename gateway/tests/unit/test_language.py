"""Which language a person is spoken to in, and texts in both."""

from __future__ import annotations

import errno
import os

from hayate.language import BilingualError, Text, accepted_language, reason_of, terminal_language
from tests.support.tables import table


@table(
    ("env", "spoken"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "HAYATE_LANG": "en"}, "en"),
        ({"LANG": "en_US.UTF-8", "HAYATE_LANG": "ja"}, "ja"),
        ({"LC_ALL": "", "LANG": "ja_JP.eucJP"}, "ja"),
    ],
)
def test_the_language_follows_the_locale_and_hayate_lang_overrides(env: dict[str, str], spoken: str) -> None:
    assert terminal_language(env) == spoken


@table(
    ("value", "language"),
    [
        ("ja", "ja"),
        ("ja-JP", "ja"),
        ("JA", "ja"),
        ("ja,en-US;q=0.9,en;q=0.8", "ja"),
        ("en-US,en;q=0.9,ja;q=0.8", "en"),
        ("fr;q=1, ja;q=0.5, en;q=0.4", "ja"),
        ("en;q=0.4, ja;q=0.5", "ja"),
        ("ja;q=0", "en"),
        ("fr", "en"),
        ("*", "en"),
        ("", "en"),
        ("ja;q=high", "en"),
        (";;;,,,=", "en"),
        ("ja;q=nan", "en"),
        ("\xff\xfe", "en"),
    ],
)
def test_over_http_it_is_the_first_of_ours_that_is_read(value: str, language: str) -> None:
    assert accepted_language(value) == language


def test_a_text_speaks_either_language() -> None:
    assert (Text("No.", "いいえ。").of("en"), Text("No.", "いいえ。").of("ja")) == ("No.", "いいえ。")


def test_an_error_is_one_text_in_both_and_english_where_there_is_no_other() -> None:
    error = BilingualError("No.", "いいえ。")
    assert (error.text(), error.text("ja"), str(error)) == ("No.", "いいえ。", "No.")
    assert (error.english, error.japanese) == ("No.", "いいえ。")
    assert BilingualError("Only this.").text("ja") == "Only this."


def test_what_the_system_says_is_told_in_both_languages() -> None:
    for number in (errno.EACCES, errno.ENOSPC, errno.ENOTDIR, errno.ECONNREFUSED):
        told = reason_of(OSError(number, os.strerror(number)))
        assert told.en.isascii()
        assert not told.ja.isascii()
        assert os.strerror(number) not in told.ja
    assert reason_of(OSError(errno.EXDEV, "Invalid cross-device link")) == Text(
        "Invalid cross-device link", "OSのエラー（Invalid cross-device link）"
    )
    assert reason_of(TimeoutError()).en == "TimeoutError"
