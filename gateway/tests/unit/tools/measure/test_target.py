"""Where calls go, and who gets which key."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayate.tools.measure.refusal import CannotMeasure
from hayate.tools.measure.target import Target, parse_target
from hayate.tools.running import Place
from tests.support.tables import table

KEPT = "sk-hayate-kept-0123456789"


NOWHERE = Place("http://127.0.0.1:8080", Path("/nowhere"))


@pytest.fixture
def here(tmp_path: Path) -> Place:
    (tmp_path / "api_key").write_text(KEPT + "\n", encoding="ascii")
    return Place("http://127.0.0.1:8080", tmp_path)


def target(url: str | None, place: Place = NOWHERE, api: str = "openai", key: str | None = None, **env: str) -> Target:
    return parse_target(url, api, key, env, lambda: place)


@table(
    ("url", "api", "origin"),
    [
        ("http://127.0.0.1:8080", "openai", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/", "openai", "http://127.0.0.1:8080"),
        ("http://h/v1", "openai", "http://h"),
        ("http://h/v1/", "openai", "http://h"),
        ("https://h/llm/v1/chat/completions", "openai", "https://h/llm"),
        ("http://h:8000/generate_stream", "generate_stream", "http://h:8000"),
        ("http://h:8000/api/generate_stream/", "generate_stream", "http://h:8000/api"),
    ],
)
def test_an_address_is_taken_in_the_forms_people_have_it_in(url: str, api: str, origin: str) -> None:
    assert target(url, api=api).origin == origin


@table(
    "url",
    [
        "127.0.0.1:8080",
        "ftp://h",
        "http://",
        "http://h:x",
        "http://h:0",
        "http://u:p@h",
        "http://h/?a=1",
        "http://h/日本",
    ],
)
def test_what_is_no_address_is_refused_in_both_languages(url: str) -> None:
    with pytest.raises(CannotMeasure) as refused:
        target(url)
    assert refused.value.text("en") != refused.value.text("ja")


def test_the_gateway_that_is_meant_is_the_default(here: Place) -> None:
    assert target(None, here).origin == "http://127.0.0.1:8080"
    assert target(None, Place("http://192.0.2.1:9000", here.data)).address == "192.0.2.1:9000"


def test_no_gateway_is_looked_for_where_another_machine_is_named() -> None:
    def find() -> Place:
        raise AssertionError

    assert parse_target("http://192.0.2.1:8080", "openai", None, {}, find).key is None


def test_the_kept_key_goes_to_its_own_gateway_and_nowhere_else(here: Place) -> None:
    assert target(None, here).key == KEPT
    assert target("http://localhost:8080/v1", here).key == KEPT
    for url in ("http://127.0.0.1:8000", "https://api.example.com", "http://example.com:8080", "http://127.0.0.1"):
        assert target(url, here).key is None
    assert target(None).key is None


def test_a_given_key_wins_over_the_environment_and_that_over_the_kept_one(here: Place) -> None:
    given = {"HAYATE_API_KEY": "sk-from-the-environment"}
    assert target(None, here, key="sk-given", **given).key == "sk-given"
    assert target("http://127.0.0.1:8000", here, **given).key == "sk-from-the-environment"


@pytest.mark.parametrize("key", ["a b", "a\nb", "鍵"])
def test_a_key_that_can_not_be_a_header_is_refused(key: str) -> None:
    with pytest.raises(CannotMeasure):
        target(None, key=key)


def test_an_unknown_api_is_refused() -> None:
    with pytest.raises(CannotMeasure, match="openai or generate_stream"):
        target(None, api="grpc")
