"""Whose pages may call, and what a browser is told of it."""

from __future__ import annotations

import pytest

from hayate.wire.origins import EXPOSED, MAX_ASKED_BYTES, Origins, is_preflight, origin, permission
from tests.support.tables import table

GAME = b"https://game.example"
ALLOWED, CREDENTIALS = b"access-control-allow-origin", b"access-control-allow-credentials"


@table(
    ("written", "sent"),
    {
        "https://game.example": "https://game.example",
        " HTTPS://Game.Example/ ": "https://game.example",
        "https://game.example:443": "https://game.example",
        "http://localhost:80": "http://localhost",
        "http://localhost:5173": "http://localhost:5173",
        "http://127.0.0.1:8000": "http://127.0.0.1:8000",
        "http://[::1]:5173": "http://[::1]:5173",
        "http://[::1]": "http://[::1]",
        "https://日本語.example": "https://xn--wgv71a119e.example",
        "https://game.example:8443": "https://game.example:8443",
        "capacitor://localhost": "capacitor://localhost",
        "chrome-extension://abcdefgh": "chrome-extension://abcdefgh",
        "null": "null",
        "*": "*",
    }.items(),
)
def test_an_origin_is_kept_as_browsers_write_it(written: str, sent: str) -> None:
    assert origin(written) == sent


@table(
    "written",
    ["", "game.example", "localhost:5173", "https://", "https://game.example/play", "https://*.game.example", "//a",
     "https://a b", "https://u:p@game.example", "https://game.example:0", "https://game.example:99999",
     "https://game.example:", "https://a,https://b", "https://a?b", "https://[::1", "https://" + "a" * 400, "ht!tp://a"],
)  # fmt: skip
def test_what_is_no_origin_is_refused_in_words(written: str) -> None:
    with pytest.raises(ValueError, match="is not an origin: write https"):
        origin(written)


def test_without_a_list_answers_carry_nothing() -> None:
    origins = Origins()
    assert not origins.is_open
    assert origins.headers_for(GAME) == origins.headers_for(None) == []
    assert not origins.may_call(GAME)
    assert not origins.may_use_session(GAME)


def test_a_listed_origin_reads_answers_and_uses_its_session() -> None:
    origins = Origins(["https://game.example", "http://localhost:5173"])
    headers = dict(origins.headers_for(GAME))
    assert (headers[ALLOWED], headers[CREDENTIALS], headers[b"vary"]) == (GAME, b"true", b"Origin")
    assert headers[b"access-control-expose-headers"] == EXPOSED
    assert origins.may_call(GAME)
    assert origins.may_use_session(GAME)


@table(
    "other",
    [b"https://game.example.evil", b"http://game.example", b"https://game.example:8443", b"https://GAME.example", b"null",
     b"*", b"", b"https://evil.example, https://game.example"],
)  # fmt: skip
def test_any_other_origin_gets_nothing_but_vary(other: bytes) -> None:
    origins = Origins(["https://game.example"])
    assert origins.headers_for(other) == origins.headers_for(None) == [(b"vary", b"Origin")]
    assert not origins.may_call(other)
    assert not origins.may_use_session(other)


def test_any_origin_may_call_but_none_brings_its_session() -> None:
    origins = Origins(["*"])
    for each in (GAME, b"null", None):
        headers = dict(origins.headers_for(each))
        assert headers[ALLOWED] == b"*"
        assert CREDENTIALS not in headers
    assert origins.may_call(GAME)
    assert origins.may_call(b"null")
    assert not origins.may_use_session(GAME)


def test_beside_any_a_listed_one_is_still_itself() -> None:
    origins = Origins(["*", "https://game.example"])
    assert dict(origins.headers_for(GAME))[CREDENTIALS] == b"true"
    others = dict(origins.headers_for(b"https://other.example"))
    assert (others[ALLOWED], others[b"vary"], CREDENTIALS in others) == (b"*", b"Origin", False)


def test_a_page_without_an_origin_is_listed_as_null_and_brings_no_session() -> None:
    origins = Origins(["null"])
    headers = dict(origins.headers_for(b"null"))
    assert headers[ALLOWED] == b"null"
    assert CREDENTIALS not in headers
    assert not origins.may_use_session(b"null")


def test_a_changed_list_counts_at_once() -> None:
    origins = Origins(["https://game.example"])
    origins.allow(["https://other.example"])
    assert not origins.may_call(GAME)
    assert origins.may_call(b"https://other.example")
    origins.allow([])
    assert not origins.is_open
    assert origins.headers_for(None) == []


ASKS = {b"origin": GAME, b"access-control-request-method": b"POST"}


def test_a_question_before_a_request_is_told_from_other_options() -> None:
    assert is_preflight(ASKS)
    assert not is_preflight({b"origin": GAME})
    assert not is_preflight({b"access-control-request-method": b"POST"})


@pytest.mark.parametrize(
    "names", [b"authorization,content-type", b"x-stainless-os, x-stainless-retry-count", b"Anthropic-Version", b"a ,b"]
)
def test_the_headers_that_are_asked_for_may_be_sent(names: bytes) -> None:
    found = dict(permission({**ASKS, b"access-control-request-headers": names}))
    assert found[b"access-control-allow-headers"] == names
    assert b"POST" in found[b"access-control-allow-methods"]


@table(
    "names",
    [b"", b"a\tb", b"a;b", b",,", b"a" * (MAX_ASKED_BYTES + 1), b"a, " * 20_000, b"\xe9", b"a: b"],
)
def test_what_are_no_names_or_too_many_is_not_repeated(names: bytes) -> None:
    assert b"access-control-allow-headers" not in dict(permission({**ASKS, b"access-control-request-headers": names}))


@pytest.mark.parametrize(("asked", "told"), [(b"true", b"true"), (b"false", None), (None, None)])
def test_a_private_network_is_opened_when_that_is_asked(asked: bytes | None, told: bytes | None) -> None:
    fields = dict(ASKS) if asked is None else {**ASKS, b"access-control-request-private-network": asked}
    assert dict(permission(fields)).get(b"access-control-allow-private-network") == told
