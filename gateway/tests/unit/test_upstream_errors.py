"""What an engine's failure allows: only what it has not seen may be tried again."""

from __future__ import annotations

import pytest

from hayate.upstream_errors import EngineError, UpstreamBroke, UpstreamError, UpstreamRefused


def tree(root: type[UpstreamError] = UpstreamError) -> list[type[UpstreamError]]:
    return [root, *(each for child in root.__subclasses__() for each in tree(child))]


def test_only_what_the_engine_has_not_seen_is_safe_to_retry() -> None:
    safe = {kind.__name__ for kind in tree() if kind.safe_to_retry}
    assert safe == {"ConnectFailed", "ConnectTimedOut", "StaleConnection", "UpstreamRefused"}


def test_what_is_not_the_replicas_fault_does_not_count_against_it() -> None:
    kinds = [kind for kind in tree() if not kind.counts_against_replica]
    assert {kind.__name__ for kind in kinds} == {
        "AnswerTooLarge",
        "EngineError",
        "StaleConnection",
        "UpstreamRedirected",
        "UpstreamRefused",
    }


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
