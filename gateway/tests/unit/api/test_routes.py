"""The table of paths: whatever is served stands in it, and nothing in it is without a guard."""

from __future__ import annotations

import pytest
from starlette.routing import Route

from hayate.access.authenticator import Authenticator
from hayate.access.guards import anyone, callers, operators
from hayate.access.principals import OPERATOR, OWNER, Principal
from hayate.api.routes import ROUTES, Row
from hayate.config.load import load_config
from hayate.errors import NotAuthenticated
from hayate.serve.app import create_app
from hayate.wire.http1 import Headers, fields_of

AUTH = Authenticator({"sk-caller-0123456789": OWNER, "sk-operator-0123456789": OPERATOR})
NOBODY: Headers = []
CALLER: Headers = [(b"x-api-key", b"sk-caller-0123456789")]
OPERATORS: Headers = [(b"x-api-key", b"sk-operator-0123456789")]


def passes(row: Row, headers: Headers) -> bool:
    """Whether the row's guard lets this request in."""
    try:
        principal = row.guard(AUTH, headers, fields_of(headers))
    except NotAuthenticated:
        return False
    assert principal is None or isinstance(principal, Principal)
    return True


def test_whatever_is_served_stands_in_the_table() -> None:
    served = [each for each in create_app(load_config(env={})).routes if isinstance(each, Route)]
    assert served == [row.route for row in ROUTES]
    assert len({(method, row.path) for row in ROUTES for method in row.methods}) == sum(
        len(row.methods) for row in ROUTES
    )


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: f"{' '.join(row.methods)} {row.path}")
def test_no_path_is_without_a_guard(row: Row) -> None:
    assert row.guard in (anyone, callers, operators)
    let_in = [passes(row, who) for who in (NOBODY, CALLER, OPERATORS)]
    if row.path.startswith("/admin/"):
        assert let_in == [False, False, True]
    elif row.path.startswith(("/health", "/static", "/session")) or row.path in ("/", "/livez", "/readyz"):
        assert let_in == [True, True, True]
    else:
        assert let_in == [False, True, False]


def test_calls_answer_no_head_and_have_a_name_each() -> None:
    calls = [row for row in ROUTES if row.call is not None]
    assert not any("HEAD" in (row.route.methods or ()) for row in calls)
    names = [row.call.name for row in calls if row.call is not None]
    assert len(set(names)) == len(names)
