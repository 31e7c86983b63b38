"""The operator's session: whose it is, how long, for which page, and what a change takes beside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.access.operator_sessions import MAX_ENDED, SESSION_S, TOKEN_FIELD, OperatorSession, OperatorSessions
from hayate.errors import NotAllowed, NotAuthenticated
from hayate.wire.http1 import Fields
from tests.support.tables import table

HOST = b"localhost:8080"
OURS: Fields = {b"host": HOST, b"origin": b"http://localhost:8080", b"sec-fetch-site": b"same-origin"}


class Clock:
    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


def made(secret: bytes | None = b"digest", clock: Clock | None = None, port: int = 8080) -> OperatorSessions:
    return OperatorSessions(secret, port=port, wall_clock=clock or Clock())


def brought(sessions: OperatorSessions, session: OperatorSession, more: Fields = OURS) -> Fields:
    """A request with the cookie of this session."""
    cookie = f"other=1; {sessions.cookie(more)}={sessions.value(session)}"
    return {**more, b"cookie": cookie.encode()}


def test_it_is_known_again_also_after_a_restart_with_the_same_key() -> None:
    sessions = made()
    session = sessions.begin()
    for each in (sessions, made()):
        assert each.of(brought(sessions, session)) == session


def test_who_brings_none_is_nobody() -> None:
    for cookie in (
        b"",
        b"a=b",
        b"hayate_session=x",
        b'hayate_operator_8080=""',
        b"hayate_operator_8081=1.2.3",
        b'x="; y',
    ):
        assert made().of({**OURS, b"cookie": cookie}) is None
    assert made().of(OURS) is None


@table("other", [b"another key's digest", None])
def test_it_ends_with_the_key(other: bytes | None) -> None:
    sessions = made()
    found = brought(sessions, sessions.begin())
    with pytest.raises(NotAuthenticated, match="over"):
        made(other).of(found)


def test_it_ends_after_twelve_hours() -> None:
    clock = Clock()
    sessions = made(clock=clock)
    session = sessions.begin()
    clock.now += SESSION_S - 1
    assert sessions.of(brought(sessions, session)) == session
    clock.now += 2
    with pytest.raises(NotAuthenticated, match="Sign in again"):
        sessions.of(brought(sessions, session))


def test_who_has_signed_out_is_out_and_others_are_not() -> None:
    sessions = made()
    session, other = sessions.begin(), sessions.begin()
    sessions.end(session)
    with pytest.raises(NotAuthenticated):
        sessions.of(brought(sessions, session))
    assert sessions.of(brought(sessions, other)) == other


def test_however_many_sign_out_nobody_comes_back_in_and_memory_stays_bounded() -> None:
    clock = Clock()
    sessions = made(clock=clock)
    ended = [sessions.begin() for _ in range(MAX_ENDED + 3)]
    for each in ended:
        sessions.end(each)
    clock.now += 1
    later = sessions.begin()
    for each in ended:
        with pytest.raises(NotAuthenticated):
            sessions.of(brought(sessions, each))
    assert sessions.of(brought(sessions, later)) == later
    clock.now += SESSION_S
    sessions.end(sessions.begin())
    assert len(sessions._ended) == 1


def test_the_name_carries_the_port_that_the_browser_asks_at_else_the_gateways() -> None:
    sessions = made(port=9090)
    assert sessions.cookie({b"host": b"localhost:8081"}) == "hayate_operator_8081"
    assert sessions.cookie({b"host": b"gateway.example"}) == "hayate_operator_9090"
    assert sessions.cookie({b"host": b"evil:80;x=y"}) == "hayate_operator_9090"


@table(
    "more",
    [
        {b"host": HOST, b"sec-fetch-site": b"same-site"},
        {b"host": HOST, b"sec-fetch-site": b"cross-site"},
        {b"host": HOST, b"origin": b"http://localhost:8081"},
        {b"host": HOST, b"origin": b"null"},
    ],
)
def test_another_page_can_not_use_it(more: Fields) -> None:
    sessions = made()
    found = brought(sessions, sessions.begin(), more)
    for ask in (sessions.of, sessions.for_change):
        with pytest.raises(NotAllowed):
            ask(found)


def test_a_change_takes_an_origin_and_the_token_of_this_very_session() -> None:
    sessions = made()
    session, other = sessions.begin(), sessions.begin()
    token = sessions.token(session).encode()
    found = brought(sessions, session)
    assert sessions.for_change({**found, TOKEN_FIELD: token}) == session
    refused = [
        found,
        {**found, TOKEN_FIELD: b""},
        {**found, TOKEN_FIELD: sessions.token(other).encode()},
        {**found, TOKEN_FIELD: token.upper()},
        {**found, TOKEN_FIELD: "é".encode()},
        {**brought(sessions, session, {b"host": HOST}), TOKEN_FIELD: token},
    ]
    for each in refused:
        with pytest.raises(NotAllowed, match="x-csrf-token"):
            sessions.for_change(each)
    assert sessions.for_change({**OURS, TOKEN_FIELD: token}) is None


def test_the_token_does_not_open_the_session_nor_the_cookie_stand_for_the_token() -> None:
    sessions = made()
    session = sessions.begin()
    value = sessions.value(session)
    forged = f"{value.rpartition('.')[0]}.{sessions.token(session)}"
    with pytest.raises(NotAuthenticated):
        sessions.of({**OURS, b"cookie": f"hayate_operator_8080={forged}".encode()})
    with pytest.raises(NotAllowed):
        sessions.for_change({**brought(sessions, session), TOKEN_FIELD: value.rpartition(".")[2].encode()})


@given(value=st.binary(max_size=200))
def test_whatever_a_cookie_says_nobody_gets_in(value: bytes) -> None:
    for cookie in (value, b"hayate_operator_8080=" + value):
        try:
            assert made().of({**OURS, b"cookie": cookie}) is None
        except NotAuthenticated:
            pass
