"""What a person reads once the gateway listens."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from hayate.language import Language
from hayate.tools.embedded.announcement import KeyNews, announcement

URL = "http://127.0.0.1:8080"
KEPT = KeyNews("sk-hayate-secret", newly_made=False, file=Path("/my data/api_key"))
NEW = KeyNews("sk-hayate-secret", newly_made=True, file=Path("/data/api_key"))
GIVEN = KeyNews("sk-hayate-secret", newly_made=False, file=None)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_new_key_is_shown_once_with_the_place_where_it_is_kept(language: Language) -> None:
    text = announcement(URL, "tiny", NEW, language)
    assert text.count("sk-hayate-secret") == 1
    assert "/data/api_key" in text


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("news", [KEPT, GIVEN])
def test_a_key_that_was_there_before_is_not_shown(language: Language, news: KeyNews) -> None:
    assert "sk-hayate-secret" not in announcement(URL, "tiny", news, language)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_curl_is_one_that_a_shell_understands_and_names_no_key(language: Language) -> None:
    line = next(line for line in announcement(URL, "tiny", KEPT, language).splitlines() if "curl" in line)
    words = shlex.split(line.strip().partition("  ")[2])
    assert words[:3] == ["curl", "-N", f"{URL}/v1/chat/completions"]
    assert "Authorization: Bearer $(cat '/my data/api_key')" in words


def test_the_page_and_the_api_are_named() -> None:
    text = announcement(URL, "tiny", NEW, "en")
    assert f"{URL}/ " in text
    assert f"{URL}/v1 " in text


@pytest.mark.parametrize(
    ("url", "here"),
    [("http://0.0.0.0:8080", "http://127.0.0.1:8080/"), ("http://[::]:8080", "http://[::1]:8080/")],
)
def test_a_wildcard_is_shown_as_an_address_that_works_with_a_warning(url: str, here: str) -> None:
    text = announcement(url, "tiny", NEW, "en")
    assert here in text
    assert "other machines" in text


def test_loopback_has_no_warning() -> None:
    assert "other machines" not in announcement(URL, "tiny", NEW, "en")
    assert "他の機器" not in announcement("http://[::1]:1", "tiny", NEW, "ja")
