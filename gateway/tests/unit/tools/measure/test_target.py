"""Where calls go, and who gets which key."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayate.tools.measure.refusal import CannotMeasure
from hayate.tools.measure.target import parse_target

KEPT = "sk-hayate-kept-0123456789"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "api_key").write_text(KEPT + "\n", encoding="ascii")
    return {"HAYATE_DATA": str(tmp_path)}


@pytest.mark.parametrize(
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
    assert parse_target(url, api, None, {}).origin == origin


@pytest.mark.parametrize(
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
        parse_target(url, "openai", None, {})
    assert refused.value.text("en") != refused.value.text("ja")


def test_the_gateway_of_this_machine_is_the_default(env: dict[str, str]) -> None:
    assert parse_target(None, "openai", None, env).origin == "http://127.0.0.1:8080"
    assert parse_target(None, "openai", None, {**env, "HAYATE_PORT": "9000"}).address == "127.0.0.1:9000"


def test_the_kept_key_goes_to_its_own_gateway_and_nowhere_else(env: dict[str, str]) -> None:
    assert parse_target(None, "openai", None, env).key == KEPT
    assert parse_target("http://localhost:8080/v1", "openai", None, env).key == KEPT
    for url in ("http://127.0.0.1:8000", "https://api.example.com", "http://example.com:8080", "http://127.0.0.1"):
        assert parse_target(url, "openai", None, env).key is None
    assert parse_target("http://127.0.0.1:8080", "openai", None, {**env, "HAYATE_PORT": "junk"}).key is None


def test_a_given_key_wins_over_the_environment_and_that_over_the_kept_one(env: dict[str, str]) -> None:
    env["HAYATE_API_KEY"] = "sk-from-the-environment"
    assert parse_target(None, "openai", "sk-given", env).key == "sk-given"
    assert parse_target("http://127.0.0.1:8000", "openai", None, env).key == "sk-from-the-environment"


@pytest.mark.parametrize("key", ["a b", "a\nb", "鍵"])
def test_a_key_that_can_not_be_a_header_is_refused(key: str) -> None:
    with pytest.raises(CannotMeasure):
        parse_target(None, "openai", key, {})


def test_an_unknown_api_is_refused() -> None:
    with pytest.raises(CannotMeasure, match="openai or generate_stream"):
        parse_target(None, "grpc", None, {})
