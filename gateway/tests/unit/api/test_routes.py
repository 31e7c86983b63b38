"""The table of paths: whatever is served stands in it, and nothing in it is without a guard."""

from __future__ import annotations

import re

from starlette.routing import Route

from hayate.access.authenticator import Authenticator
from hayate.access.guards import OPERATORS as OPERATORS_GUARDS
from hayate.access.guards import (
    anyone,
    callers,
    keepers,
    operators,
    operators_changing,
    operators_key,
    users,
    watchers,
)
from hayate.access.principals import OPERATOR, OWNER, Principal
from hayate.api.routes import ROUTES, Row, methods_of, path_of
from hayate.config.load import load_config
from hayate.errors import NotAllowed, NotAuthenticated
from hayate.serve.app import create_app
from hayate.wire.http1 import Headers, fields_of
from tests.support.tables import table

GAME = Principal("0123456789ab", "game")
AUTH = Authenticator({"sk-owner-0123456789": OWNER, "sk-operator-0123456789": OPERATOR, "sk-game-0123456789": GAME})
NOBODY: Headers = []
CALLER: Headers = [(b"x-api-key", b"sk-game-0123456789")]
OWNERS: Headers = [(b"x-api-key", b"sk-owner-0123456789")]
OPERATORS: Headers = [(b"x-api-key", b"sk-operator-0123456789")]


OPERATORS_PATHS = ("/admin/", "/running", "/unload", "/api/models/unload")


def passes(row: Row, headers: Headers) -> bool:
    """Whether the row's guard lets this request in."""
    try:
        principal = row.guard(AUTH, headers, fields_of(headers))
    except (NotAuthenticated, NotAllowed):
        return False
    assert principal is None or isinstance(principal, Principal)
    return True


def test_whatever_is_served_stands_in_the_table() -> None:
    served = [each for each in create_app(load_config(env={})).routes if isinstance(each, Route)]
    assert served == [row.route for row in ROUTES]
    assert len({(method, row.path) for row in ROUTES for method in row.methods}) == sum(
        len(row.methods) for row in ROUTES
    )


@table("row", ROUTES)
def test_no_path_is_without_a_guard(row: Row) -> None:
    assert row.guard in (anyone, callers, keepers, users, watchers, *OPERATORS_GUARDS)
    let_in = [passes(row, who) for who in (NOBODY, CALLER, OWNERS, OPERATORS)]
    if row.path == "/admin/session":
        assert let_in == [True, True, True, True]
    elif row.path.startswith(OPERATORS_PATHS):
        assert let_in == [False, False, False, True]
    elif row.path.startswith(("/health", "/static", "/session")) or row.path in (
        "/",
        "/livez",
        "/readyz",
        "/openapi.json",
    ):
        assert let_in == [True, True, True, True]
    elif row.path == "/metrics":
        assert let_in == [False, False, True, True]
    else:
        assert let_in == [False, True, True, False]


@table("row", [row for row in ROUTES if row.guard in OPERATORS_GUARDS])
def test_a_session_alone_changes_nothing_and_tools_paths_take_none(row: Row) -> None:
    if not row.path.startswith("/admin/"):
        assert row.guard is operators_key
    else:
        assert row.guard is (operators if row.methods == ("GET",) else operators_changing)


OTHER_SPELLINGS = {
    "a slash at its end": "{}/",
    "a slash more": "/{}",
    "slashes inside": "{doubled}",
    "/v1 twice": "/v1{}",
    "without /v1": "{bare}",
    "an escaped letter": "{escaped}",
    "an escaped slash": "{joined}",
}


def spelled(how: str, path: str) -> str:
    """The path in another spelling; its parameter is a file that there is."""
    path = re.sub(r"\{.*?\}", "index.html", path)
    first, _, rest = path.removeprefix("/").partition("/")
    return how.format(
        path,
        doubled=path.replace("/", "//"),
        bare=path.removeprefix("/v1"),
        escaped=f"/%{ord(first[0]):02x}{first[1:]}" + (f"/{rest}" if rest else "") if first else path,
        joined=f"/{first}%2F{rest}" if rest else path,
    )


@table("how", OTHER_SPELLINGS.values())
@table("row", ROUTES)
def test_another_spelling_leads_to_the_same_row_or_to_none(row: Row, how: str) -> None:
    """What is found is found by its row's own regular expression, and so with its row's own guard."""
    written, method = spelled(how, row.path), row.methods[0]
    found = [
        other
        for other in ROUTES
        if other.route.path_regex.match(path_of(written.encode())) and method in (other.route.methods or ())
    ]
    if row.path.startswith(OPERATORS_PATHS):
        literal, _, name = row.path.partition("{")
        is_hidden = not written.startswith(literal) if name else written != row.path
        assert found[:1] in ([], [row]) if name and not is_hidden else found == ([] if is_hidden else [row])
    elif how in ("{}/", "/{}", "{doubled}"):
        assert found[:1] == [row]
    else:
        assert found[:1] in ([row], [])


@table(
    ("written", "meant"),
    [
        ("/admin/keys/game%20bot", "/admin/keys/game bot"),
        ("/admin/keys/%E9%8D%B5/rotate", "/admin/keys/鍵/rotate"),
        ("/admin/calls/a%2Fb", "/admin/calls/a/b"),
        ("/admin/engines/a%2Fb/load", "/admin/engines/a/b/load"),
        ("/admin/engines/a%20b/log", "/admin/engines/a b/log"),
        ("/admin/engines/a/%6Cog", "/admin/engines/a/%6Cog"),
        ("/admin/%65ngines/a/log", "/admin/%65ngines/a/log"),
        ("/api/models/unload/a%20b", "/api/models/unload/a b"),
        ("/%75nload", "/%75nload"),
        ("//unload", "//unload"),
        ("/running/", "/running/"),
        ("/admin/keys/a%2Frotate", "/admin/keys/a%2Frotate"),
        ("/admin/keys%2Fgame", "/admin/keys%2Fgame"),
        ("/%61dmin/keys/game", "/%61dmin/keys/game"),
        ("/admin/%6Beys/game", "/admin/%6Beys/game"),
        ("//admin/keys/game", "//admin/keys/game"),
        ("/admin//keys/game", "/admin//keys/game"),
        ("/admin/keys//game", "/admin/keys//game"),
        ("/admin/keys/game/", "/admin/keys/game/"),
        ("/admin/keys/game/%72otate", "/admin/keys/game/%72otate"),
        ("/admin/nothing%20here", "/admin/nothing%20here"),
    ],
)
def test_of_an_operators_path_only_the_name_in_it_may_be_escaped(written: str, meant: str) -> None:
    assert path_of(written.encode()) == meant


def test_without_v1_the_paths_of_the_api_are_found_and_no_others_are_hidden() -> None:
    beside = {row.path.split("/")[1] for row in ROUTES if not row.path.startswith("/v1/")}
    for row in ROUTES:
        if row.path.startswith("/v1/") and "{" not in row.path:
            assert path_of(row.path.removeprefix("/v1").encode()) == row.path
            assert row.path.split("/")[2] not in beside


def test_every_path_tells_all_its_methods() -> None:
    assert methods_of("/session") == ["DELETE", "GET", "HEAD", "OPTIONS", "POST"]
    assert methods_of("/generate_stream") == ["GET", "HEAD", "OPTIONS", "POST"]
    assert methods_of("/v1/chat/completions") == ["OPTIONS", "POST"]
    assert methods_of("/nowhere") == methods_of("/*") == []
    assert methods_of(path_of(b"*")) == ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST"]
    for row in ROUTES:
        assert {*row.methods, "OPTIONS"} <= set(methods_of(re.sub(r"\{.*?\}", "name", row.path)))


def test_calls_answer_no_head_and_have_a_name_each() -> None:
    calls = [row for row in ROUTES if row.call is not None]
    assert not any("HEAD" in (row.route.methods or ()) for row in calls)
    names = [row.call.name for row in calls if row.call is not None]
    assert len(set(names)) == len(names)
