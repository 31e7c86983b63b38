"""Why a call got no answer: a word for every error there is."""

from __future__ import annotations

from collections.abc import Iterator

from hayate.errors import GatewayError
from hayate.telemetry.refusal_words import FAILED, LEFT, WORDS, refusal_word
from hayate.terminal import width
from hayate.upstream_errors import UpstreamError


def every(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from every(each)


def test_every_error_has_a_word() -> None:
    assert UpstreamError in every(GatewayError)
    assert {str(kind.code or kind.type) for kind in every(GatewayError)} - set(WORDS) == set()


def test_a_word_is_short() -> None:
    assert {word.en: width(each) for word in WORDS.values() for each in (word.en, word.ja) if width(each) > 30} == {}


def test_who_left_and_what_an_engine_says_by_itself() -> None:
    assert refusal_word(None, 499) is LEFT
    assert refusal_word(None, 500) is FAILED
    assert refusal_word("engines_own", 400).ja == "engines_own"
