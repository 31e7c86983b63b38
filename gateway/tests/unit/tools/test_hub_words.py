"""Why the Hub was asked in vain: one sentence each, in both languages, that says what to do."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hayate.language import Text
from hayate.tools.hub_trouble import BadName, Gated, HubTrouble, NoFile, NoRepository, NotGiven
from hayate.tools.hub_words import Asker, in_use, in_vain, wrong_checksum

ASKER = Asker("REF", Text("Try later.", "後で。"), Text("Connect.", "接続を。"))
HUB = "https://hub.example"


def with_status(status: int) -> NotGiven:
    error = ConnectionError("<html>")
    error.response = SimpleNamespace(status_code=status)  # type: ignore[attr-defined]  # as the library's errors have it
    return NotGiven(error)


@pytest.mark.parametrize(
    ("trouble", "en", "ja"),
    [
        (Gated("x"), "https://hub.example/o/r and set HF_TOKEN", "HF_TOKEN"),
        (NoRepository("x"), "check the name (REF)", "（REF）"),
        (NoFile("x"), "o/r:Q4 is not a file on the Hub", "o/r:Q4はHubにありません"),
        (BadName("x"), "o/r:Q4 is not a file on the Hub", "o/r:Q4はHubにありません"),
        (with_status(401), "refuses HF_TOKEN", "HF_TOKEN"),
        (with_status(503), "(status 503). Try later.", "後で。"),
        (NotGiven(OSError(110, "timed out")), "timed out. Connect.", "接続を。"),
    ],
)
def test_each_trouble_is_told_in_both_languages(trouble: HubTrouble, en: str, ja: str) -> None:
    said = in_vain(HUB, "o/r", "o/r:Q4", trouble, ASKER)
    assert en in said.en
    assert ja in said.ja
    assert "\n" not in said.en + said.ja


def test_an_endpoint_that_is_no_address_is_told() -> None:
    said = in_vain("hub.example", "o/r", "o/r", NotGiven("no scheme"), ASKER)
    assert said.en.startswith("HF_ENDPOINT=hub.example is no http://")


def test_what_came_wrong_or_comes_already_is_named() -> None:
    assert "a.gguf" in wrong_checksum("a.gguf").en
    assert "a.gguf" in in_use("a.gguf").ja
