"""An error is told in the caller's dialect and language, whole and inside a stream."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from hayate.errors import (
    BodyTooLarge,
    ContextTooLong,
    GatewayError,
    InvalidRequest,
    NotAllowed,
    NotAuthenticated,
    NotSupported,
    Overloaded,
    RateLimited,
    ReadTimeout,
    UnknownModel,
)
from hayate.language import Language
from hayate.upstream_errors import EngineError, UpstreamBroke, UpstreamTimeout
from hayate.wire import sse
from hayate.wire.error_bodies import ANTHROPIC, GENERATE, OPENAI, RESPONSES, Dialect, error_headers, language_of
from tests.support.tables import table

WRONG = InvalidRequest("'n' is wrong.", "'n' が違います。", param="n")


def body(dialect: Dialect, error: GatewayError = WRONG, language: Language = "en") -> Any:
    return json.loads(dialect.body(error, language))


@pytest.mark.parametrize("dialect", [OPENAI, GENERATE, RESPONSES])
def test_openais_shape(dialect: Dialect) -> None:
    assert body(dialect) == {
        "error": {"message": "'n' is wrong.", "type": "invalid_request_error", "param": "n", "code": None}
    }
    assert body(dialect, language="ja")["error"]["message"] == "'n' が違います。"
    assert dialect.status(WRONG) == 400


def test_openais_event_is_plain_and_generates_has_a_name() -> None:
    for dialect, name in ((OPENAI, b"message"), (GENERATE, b"error")):
        frame = dialect.frame(WRONG, "en")
        assert sse.event_of(frame) == name
        assert json.loads(sse.data_of(frame) or b"") == body(dialect)


def test_the_event_of_responses_has_a_shape_of_its_own() -> None:
    error = UpstreamBroke("It broke.")
    error.event_number = 7
    frame = RESPONSES.frame(error, "en")
    assert sse.event_of(frame) == b"error"
    assert json.loads(sse.data_of(frame) or b"") == {
        "type": "error", "code": "upstream_error", "message": "It broke.", "param": None, "sequence_number": 7,
    }  # fmt: skip


@table(
    ("error", "kind", "status"),
    [
        (WRONG, "invalid_request_error", 400),
        (ContextTooLong("x"), "invalid_request_error", 400),
        (NotAuthenticated("x"), "authentication_error", 401),
        (NotAllowed("x"), "permission_error", 403),
        (UnknownModel("x"), "not_found_error", 404),
        (BodyTooLarge("x"), "request_too_large", 413),
        (RateLimited("x"), "rate_limit_error", 429),
        (NotSupported("x"), "not_found_error", 501),
        (UpstreamBroke("x"), "api_error", 502),
        (Overloaded("x"), "overloaded_error", 529),
        (UpstreamTimeout("x"), "timeout_error", 504),
        (EngineError("x", status=422), "invalid_request_error", 422),
    ],
)
def test_anthropics_shape(error: GatewayError, kind: str, status: int) -> None:
    assert body(ANTHROPIC, error) == {"type": "error", "error": {"type": kind, "message": error.english}}
    assert ANTHROPIC.status(error) == status
    frame = ANTHROPIC.frame(error, "en")
    assert sse.event_of(frame) == b"error"
    assert json.loads(sse.data_of(frame) or b"") == body(ANTHROPIC, error)


@pytest.mark.parametrize("dialect", [OPENAI, GENERATE, RESPONSES, ANTHROPIC])
def test_a_message_of_several_lines_is_one_event(dialect: Dialect) -> None:
    frame = dialect.frame(UpstreamBroke("one\n\ntwo\r\nthree"), "en")
    assert len(list(sse.frames(frame))) == 1
    assert "one\\n\\ntwo" in frame.decode()


@table(
    ("error", "header"),
    [
        (Overloaded("x", retry_after_s=1.2), (b"retry-after", b"2")),
        (Overloaded("x", retry_after_s=0.0), (b"retry-after", b"1")),
        (NotAuthenticated("x"), (b"www-authenticate", b"Bearer")),
        (BodyTooLarge("x"), (b"connection", b"close")),
        (ReadTimeout("x"), (b"connection", b"close")),
    ],
)
def test_headers_that_go_with_an_error(error: GatewayError, header: tuple[bytes, bytes]) -> None:
    assert header in error_headers(error)
    assert (b"content-type", b"application/json") in error_headers(error)


def test_an_error_without_a_wait_names_none() -> None:
    assert error_headers(UpstreamBroke("x")) == [(b"content-type", b"application/json")]


def test_the_language_is_the_one_that_the_caller_reads() -> None:
    assert language_of([(b"host", b"x"), (b"accept-language", b"ja,en;q=0.5")]) == "ja"
    assert language_of([(b"accept-language", b"\xff\xfe")]) == "en"


def test_no_header_is_english() -> None:
    assert language_of([]) == "en"


@table("dialect", [OPENAI, ANTHROPIC, GENERATE, RESPONSES])
@table("error", [InvalidRequest("no", param="x"), Overloaded("full"), UpstreamBroke("cut")])
def test_a_body_is_as_its_dialects_schema_says_and_its_status_as_the_kinds(
    dialect: Dialect, error: GatewayError
) -> None:
    body = json.loads(dialect.body(error, "en"))
    assert jsonschema_rs.is_valid(dialect.schema, body)
    assert not jsonschema_rs.is_valid(dialect.schema, {**body, "more": 1})
    assert dialect.status_of(type(error)) == dialect.status(error)
