"""The document of the surface: what is in the table is in it, and nothing else; and where it is served."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import openapi_spec_validator
import pytest

from hayate import errors, upstream_errors
from hayate.api.openapi import document
from hayate.api.routes import ROUTES, documented
from tests.support.http import fetch
from tests.support.scene import Stage, scene
from tests.support.tables import table

pytestmark = pytest.mark.anyio

DOCUMENT: dict[str, Any] = json.loads(json.dumps(document(documented())))
ELSEWHERE = {errors.WrongMethod, errors.StreamGone}
"""Told where no operation is: of another method; inside a stream."""
KINDS = {errors.GatewayError, errors.RequestError}
"""Which nobody raises as they are."""


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_every_row_of_the_table_is_in_the_document_and_nothing_else() -> None:
    table = {(method, re.sub(r":path}", "}", row.path)) for row in ROUTES for method in row.methods}
    assert {(method, path) for method, path, _ in operations()} == table


def test_it_is_a_valid_document() -> None:
    openapi_spec_validator.validate(DOCUMENT)


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)
    assert all(operation["summary"].endswith(".") for _, _, operation in operations())


def test_every_status_says_what_it_means() -> None:
    for method, path, operation in operations():
        for status, response in operation["responses"].items():
            assert response["description"], (method, path, status)
            assert "X-Request-Id" in response["headers"]


def every(kind: type[errors.GatewayError]) -> Iterator[type[errors.GatewayError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from every(each)


def test_every_error_there_is_is_told_of_somewhere() -> None:
    told = " ".join(
        response["description"] for _, _, operation in operations() for response in operation["responses"].values()
    )
    for kind in set(every(errors.GatewayError)) - ELSEWHERE - KINDS:
        of_an_engine = issubclass(kind, upstream_errors.UpstreamError)
        assert of_an_engine or (kind.__doc__ or "").partition("\n")[0] in told, kind


@table(
    ("path", "method", "status", "bodies"),
    [
        ("/v1/chat/completions", "post", "503", ["Error"]),
        ("/v1/messages", "post", "429", ["AnthropicError"]),
        ("/v1/messages", "post", "529", ["AnthropicError"]),
        ("/v1/messages", "post", "503", ["AnthropicError", "Error"]),
        ("/v1/messages", "post", "4XX", ["AnthropicError"]),
        ("/admin/keys", "post", "401", ["Error"]),
        ("/readyz", "get", "503", ["ReadyInDetail", "ReadyAnswer", "Error"]),
    ],
)
def test_errors_are_told_in_the_dialect_of_their_path(path: str, method: str, status: str, bodies: list[str]) -> None:
    schema = DOCUMENT["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"]
    assert [each["$ref"].rpartition("/")[2] for each in schema.get("anyOf", [schema])] == bodies


@pytest.mark.parametrize(
    ("path", "begins"),
    [
        ("/v1/chat/completions", 'data: {"error":{"message":'),
        ("/v1/messages", 'event: error\ndata: {"type":"error"'),
        ("/v1/responses", 'event: error\ndata: {"type":"error"'),
        ("/generate_stream", 'event: error\ndata: {"error"'),
    ],
)
def test_an_error_that_comes_late_is_shown_in_the_dialect_of_the_path(path: str, begins: str) -> None:
    events = DOCUMENT["paths"][path]["post"]["responses"]["200"]["content"]["text/event-stream"]
    assert events["examples"]["late"]["value"].startswith(begins)


def test_calls_are_told_what_is_left_of_their_keys_limits() -> None:
    told = DOCUMENT["paths"]["/v1/chat/completions"]["post"]["responses"]
    for status in ("200", "429"):
        assert "x-ratelimit-remaining-tokens" in told[status]["headers"]
    assert "x-ratelimit-remaining-tokens" not in told["404"]["headers"]
    assert "x-ratelimit-limit-requests" not in DOCUMENT["paths"]["/v1/models"]["get"]["responses"]["200"]["headers"]


def test_what_was_left_out_is_told_of_responses_alone() -> None:
    for path, told in (("/v1/responses", True), ("/v1/chat/completions", False)):
        headers = DOCUMENT["paths"][path]["post"]["responses"]["200"]["headers"]
        assert ("x-hayate-tools-omitted" in headers) is told
        assert "x-hayate-turns-omitted" in headers


def test_whose_key_a_path_takes_is_told() -> None:
    paths = DOCUMENT["paths"]
    assert "security" not in paths["/livez"]["get"]
    assert {"session": []} in paths["/v1/models"]["get"]["security"]
    assert {"session": []} not in paths["/admin/keys"]["get"]["security"]
    assert "operator" in paths["/admin/keys"]["get"]["description"]
    assert {"operator-session": []} in paths["/admin/keys"]["get"]["security"]
    assert {"operator-session": [], "csrf": []} in paths["/admin/keys"]["post"]["security"]
    assert not any("operator-session" in each for each in paths["/unload"]["get"]["security"])


async def test_it_is_served_on_this_machine_to_anybody_and_is_the_tables(stage: Stage) -> None:
    reply = await fetch(stage.url, "/openapi.json")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.json == DOCUMENT
    assert stage.key not in reply.text


async def test_where_it_is_not_wanted_it_is_as_if_there_were_no_such_path() -> None:
    async with scene(server={"openapi": False}) as stage:
        reply, nowhere = await fetch(stage.url, "/openapi.json"), await fetch(stage.url, "/nowhere")
        assert (reply.status, reply.body) == (nowhere.status, nowhere.body) == (404, nowhere.body)
