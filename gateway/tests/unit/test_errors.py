"""The tree of errors: each class has a status, and only what an engine has not seen may be tried again."""

from __future__ import annotations

import re

import pytest

from hayate import errors
from hayate.errors import (
    EngineError,
    GatewayError,
    InvalidRequest,
    RequestError,
    UpstreamBroke,
    UpstreamError,
    UpstreamRefused,
)


def tree(root: type[GatewayError] = GatewayError) -> list[type[GatewayError]]:
    return [root, *(each for child in root.__subclasses__() for each in tree(child))]


@pytest.mark.parametrize("kind", tree(), ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_a_type_and_a_word_for_it(kind: type[GatewayError]) -> None:
    assert 400 <= kind.status < 600
    assert re.fullmatch(r"[a-z_]+", kind.type)
    assert kind.code is None or re.fullmatch(r"[a-z_]+", kind.code)
    assert kind.__doc__


@pytest.mark.parametrize(
    "kind", [each for each in tree() if each.__subclasses__() == []], ids=lambda kind: kind.__name__
)
def test_the_drawing_shows_every_error_with_its_status(kind: type[GatewayError]) -> None:
    line = next(line for line in (errors.__doc__ or "").splitlines() if re.search(rf"\b{kind.__name__}\b", line))
    assert re.search(rf"{kind.status}|4xx", line), line


def test_only_what_the_engine_has_not_seen_is_safe_to_retry() -> None:
    safe = {kind.__name__ for kind in tree(UpstreamError) if kind.safe_to_retry}  # type: ignore[attr-defined]
    assert safe == {"ConnectFailed", "ConnectTimedOut", "StaleConnection", "UpstreamRefused"}


def test_what_is_not_the_replicas_fault_does_not_count_against_it() -> None:
    kinds = [kind for kind in tree(UpstreamError) if not kind.counts_against_replica]  # type: ignore[attr-defined]
    assert {kind.__name__ for kind in kinds} == {
        "AnswerTooLarge",
        "EngineError",
        "StaleConnection",
        "UpstreamRedirected",
        "UpstreamRefused",
    }


def test_a_caller_can_mend_what_has_a_status_of_4xx() -> None:
    assert all(400 <= kind.status < 500 or kind.__name__ == "NotSupported" for kind in tree(RequestError))
    assert all(kind.status >= 500 for kind in tree() if not issubclass(kind, RequestError | EngineError))


def test_texts_come_in_two_languages() -> None:
    error = InvalidRequest("Wrong.", "違います。", param="n")
    assert (error.text(), error.text("ja")) == ("Wrong.", "違います。")
    assert InvalidRequest("Only this.").text("ja") == "Only this."
    assert str(error) == "Wrong."


def test_when_to_come_back_and_the_engines_own_verdict_are_kept() -> None:
    assert UpstreamRefused("x", retry_after_s=3.0).retry_after_s == 3.0
    verdict = EngineError("no such model", status=404, param="model", code="gone")
    assert (verdict.status, verdict.param, verdict.code) == (404, "model", "gone")


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (OSError("getaddrinfo failed"), "getaddrinfo failed"),
        (ValueError("Invalid status line"), "Invalid status line"),
        (None, ""),
    ],
)
def test_an_engines_trouble_keeps_what_was_said_of_it_where_it_was_seen(seen: Exception | None, told: str) -> None:
    error = UpstreamBroke("cut")
    error.__context__ = seen  # as `raise … from None` leaves it where `seen` was caught
    assert error.cause == told
