"""What is told of calls: each path's own request, and every way in which a call can end."""

from __future__ import annotations

import pytest

from hayate.api.call_operations import ENDINGS, call_operation
from hayate.api.routes import ROUTES
from hayate.errors import ConversationLocked, Overloaded, RateLimited, UnknownModel, UnknownResponse
from hayate.wire.generate import FIELDS
from hayate.wire.request_schemas import KEPT_PATHS
from tests.support.tables import table

CALLS = [(row.path, method) for row in ROUTES if row.call is not None for method in row.methods]


@table(("path", "method"), CALLS)
def test_every_path_that_calls_take_is_told_of(path: str, method: str) -> None:
    said = call_operation(path, method)
    assert said.says.endswith(".")
    keeps = path in (*KEPT_PATHS, "/generate_stream")
    assert said.errors[: len(ENDINGS)] == ENDINGS
    assert (ConversationLocked in said.errors) is ("X-Conversation-Id" in said.headers) is keeps
    assert (UnknownResponse in said.errors) is (path == "/v1/responses")
    assert {RateLimited, UnknownModel, Overloaded} <= set(said.errors)
    assert 200 in said.answers
    assert bool(said.body) is (method == "POST")


def test_a_browser_asks_with_a_query_what_others_ask_with_a_body() -> None:
    asked, posted = call_operation("/generate_stream", "GET"), call_operation("/generate_stream", "POST")
    assert {*asked.query} == {*FIELDS} == {*posted.body["application/json"]["properties"]}
    assert [name for name, schema in asked.query.items() if schema.get("required") is True] == ["prompt"]
    assert "Last-Event-ID" in asked.headers


@pytest.mark.parametrize("path", ["/v1/audio/transcriptions", "/v1/audio/translations"])
def test_recordings_come_in_forms_and_their_text_in_any_form(path: str) -> None:
    said = call_operation(path, "POST")
    assert [*said.body] == ["multipart/form-data"]
    assert "*/*" in said.answers[200]
