"""Who passes which guard, whatever keys and sessions a request brings at once."""

from __future__ import annotations

from itertools import product

import pytest

from hayate.access.authenticator import Authenticator
from hayate.access.guards import Guard, anyone, callers, known, operators, users, watchers
from hayate.access.principals import OPERATOR, OWNER, Principal
from hayate.access.terms import Terms
from hayate.errors import GatewayError, KeysUnknown, NotAllowed, NotAuthenticated
from hayate.wire.http1 import Headers, fields_of
from tests.support.tables import table

KEYS = {"callers": "sk-callers-0123456789", "operators": "sk-operators-0123456789", "wrong": "sk-wrong-0123456789"}
AUTH = Authenticator({KEYS["callers"]: OWNER, KEYS["operators"]: OPERATOR})
COOKIE = "hayate_session_8080"
FIELDS = (b"authorization", b"x-api-key", b"api-key")
SITES = {"our page": b"same-origin", "another site": b"cross-site"}
"""Where a session's request may come from, in a browser's words."""

Brought = tuple[str | None, str | None, str | None, str | None]
"""Whose key each of FIELDS holds, and from where a session comes."""
ALL: list[Brought] = list(product((None, *KEYS), (None, *KEYS), (None, *KEYS), (None, "made up", *SITES)))


def headers_of(brought: Brought) -> Headers:
    """The request that brings all that."""
    found: Headers = [(b"host", b"gateway:8080")]
    for name, whose in zip(FIELDS, brought, strict=False):
        if whose is not None:
            found.append((name, ("Bearer " if name == FIELDS[0] else "").encode() + KEYS[whose].encode()))
    session = brought[-1]
    if session == "made up":
        found.append((b"cookie", f"{COOKIE}=9999999999.{'0' * 64}".encode()))
    elif session is not None:
        found += [(b"cookie", f"{COOKIE}={AUTH.new_session(OWNER)}".encode()), (b"sec-fetch-site", SITES[session])]
    return found


def outcome(guard: Guard, headers: Headers, auth: Authenticator = AUTH) -> Principal | GatewayError | None:
    """Who passes, or what is said instead; the same whether the fields are known already or not."""
    found: list[Principal | GatewayError | None] = []
    for fields in (None, fields_of(headers)):
        try:
            found.append(guard(auth, headers, fields))
        except GatewayError as error:
            found.append(error)
    first, second = found
    assert first is second or (type(first) is type(second) and str(first) == str(second))
    return first


def test_anyone_is_anyone() -> None:
    assert {outcome(anyone, headers_of(each)) for each in ALL} == {None}


def test_callers_are_who_brings_their_key_anywhere_or_a_session_of_our_own_page() -> None:
    for brought in ALL:
        found = outcome(callers, headers_of(brought))
        if "callers" in brought or "our page" in brought:
            assert found is OWNER, brought
        elif "another site" in brought:
            assert isinstance(found, NotAllowed), brought
        else:
            assert isinstance(found, NotAuthenticated), brought
            assert ("this is the operator's key" in found.english) == ("operators" in brought), brought
            assert ("これは管理者用" in found.japanese) == ("operators" in brought), brought


def test_operators_are_who_brings_their_key_anywhere_and_no_session_is() -> None:
    for brought in ALL:
        found = outcome(operators, headers_of(brought))
        if "operators" in brought:
            assert found is OPERATOR, brought
            continue
        assert isinstance(found, NotAuthenticated), brought
        is_a_callers = "callers" in brought or "our page" in brought
        assert ("this is the callers' key" in found.english) == is_a_callers, brought
        assert ("これは呼び出し用" in found.japanese) == is_a_callers, brought
        assert all("HAYATE_ADMIN_KEY" in text and "admin_key" in text for text in (found.english, found.japanese))


def test_known_is_who_brings_any_key_or_a_session_of_our_own_page_the_operator_first() -> None:
    for brought in ALL:
        who = OPERATOR if "operators" in brought else OWNER if {"callers", "our page"} & set(brought) else None
        assert known(AUTH, headers_of(brought)) is who, brought


class Issued:
    """Keys that were made for projects, each known by its own words; some can't be told at the moment."""

    def __init__(self, *principals: Principal) -> None:
        self._found = {each.id: each for each in principals}

    def find(self, presented: bytes, digest: bytes) -> Principal | None:
        if presented == b"unreadable":
            raise KeysUnknown("the store can't be read")
        return self._found.get(presented.decode())

    def by_id(self, key_id: str) -> Principal | None:
        return self._found.get(key_id)

    def project_of(self, key_id: str) -> str | None:
        return None


PLAIN = Principal("plain", "games")
CALLS = Principal("calls", "games", terms=Terms(areas=("calls",)))
USAGE = Principal("usage", "games", terms=Terms(areas=("usage",)))
ISSUED = Authenticator({KEYS["callers"]: OWNER, KEYS["operators"]: OPERATOR}, Issued(PLAIN, CALLS, USAGE))


@pytest.mark.parametrize(
    ("guard", "let_in"),
    [
        (callers, {"plain", "calls", "main"}),
        (users, {"plain", "usage", "main"}),
        (watchers, {"main", "admin"}),
        (operators, {"admin"}),
    ],
)
def test_an_issued_key_passes_where_its_rights_say_so_and_none_sees_what_everybody_uses(
    guard: Guard, let_in: set[str]
) -> None:
    keys = {"plain": PLAIN, "calls": CALLS, "usage": USAGE, KEYS["callers"]: OWNER, KEYS["operators"]: OPERATOR}
    for key, principal in keys.items():
        found = outcome(guard, [(b"x-api-key", key.encode())], ISSUED)
        if principal.id in let_in:
            assert found is principal
        elif guard is operators or principal is OPERATOR:
            assert isinstance(found, NotAuthenticated)
        else:
            assert isinstance(found, NotAllowed)


def test_where_keys_can_not_be_told_who_is_known_is_nobody_and_other_paths_say_so() -> None:
    headers = [(b"x-api-key", b"unreadable")]
    assert known(ISSUED, headers) is None
    assert known(ISSUED, [*headers, (b"api-key", KEYS["callers"].encode())]) is OWNER
    for guard in (callers, users, watchers):
        with pytest.raises(KeysUnknown):
            guard(ISSUED, headers, None)


@table("guard", [callers, operators])
@table("name", FIELDS)
@table("other", ["wrong", "operators", "callers"])
def test_a_field_that_comes_twice_with_different_keys_passes_no_guard(guard: Guard, name: bytes, other: str) -> None:
    mine = "callers" if guard is callers else "operators"
    scheme = b"Bearer " if name == FIELDS[0] else b""
    pair = [(name, scheme + KEYS[whose].encode()) for whose in (mine, other)]
    for headers in (pair, pair[::-1]):
        found = outcome(guard, headers)
        assert isinstance(found, NotAuthenticated) is (mine != other)


def test_no_refusal_repeats_a_key() -> None:
    for brought in ALL:
        for guard in (callers, operators):
            found = outcome(guard, headers_of(brought))
            if isinstance(found, GatewayError):
                assert not any(key in found.english + found.japanese for key in KEYS.values())
