"""The language to speak, and sentences in both."""

from __future__ import annotations

import pytest

from hayate.tools.embedded.refusals import CannotStart, language


@pytest.mark.parametrize(
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
    assert language(env) == spoken


def test_a_refusal_speaks_either_language() -> None:
    refusal = CannotStart("No.", "いいえ。")
    assert (refusal.text("en"), refusal.text("ja"), str(refusal)) == ("No.", "いいえ。", "No.")
