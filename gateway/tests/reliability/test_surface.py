"""The document of the surface is true: whatever is sent, by whomever, the answer is one that it tells of, and nothing that is
sent makes the gateway fail. Only an engine's faults are 502 and above.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, BaseSchema, Case, GenerationMode, Response
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hayate.access.principals import OWNER
from hayate.api.routes import ROUTES
from hayate.store.kept_responses import NewResponse
from hayate.wire.caps import RISKY_FIELDS
from hayate.wire.numbers import INT32
from tests.support.engine_faults import CLOSE_BEFORE_HEADERS, GARBAGE
from tests.support.engine_script import Answer, Chat, Request, Script, answer, error
from tests.support.http import fetch
from tests.support.quick import examples
from tests.support.scene import Stage, scene
from tests.support.stages import FORGIVING
from tests.support.talks import Talker

pytestmark = pytest.mark.anyio

AnyCase = Case[Any]
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
WHOSE = ("caller", "owner", "operator", "nobody")
OPERATIONS = [(method, row.path) for row in ROUTES for method in row.methods]
FULL_EXAMPLES, QUICK_EXAMPLES = 100, 2
"""Of each path; they are some seventy."""
NEVER_THERE = {
    ("DELETE", "/admin/calls/{call:path}"),
    ("GET", "/admin/calls/{call}/content"),
    ("GET", "/admin/engines/{engine:path}/log"),
    ("POST", "/admin/engines/{engine:path}/load"),
    ("POST", "/admin/engines/{engine:path}/unload"),
    ("POST", "/admin/session"),
    ("POST", "/api/models/unload/{model}"),
    ("POST", "/v1/responses/compact"),
    ("POST", "/v1/responses/input_tokens"),
    ("POST", "/v1/responses/{response}/cancel"),
}
"""What nobody finds anything at: no call is under way for long enough, of none is the content kept, no engine is loaded here, no
page is one of ours; and what there is not.
"""
KEPT = ("/v1/conversations", "/v1/responses/")
LAST_RESORT_S = 60
NOT_OURS = 501
"""What an engine has not, the gateway can't give."""


@dataclass
class Surface:
    """A gateway that tells of itself, and the keys to it."""

    stage: Stage
    schema: BaseSchema
    keys: dict[str, str]
    known: dict[str, str]
    """Names that exist, by the names of parameters and fields."""

    def operation(self, method: str, path: str) -> APIOperation[Any, Any, Any, Any]:
        return self.schema[path.replace(":path", "")][method]

    def headers(self, whose: str) -> dict[str, str]:
        key = self.keys.get(whose)
        return {} if key is None else {"authorization": f"Bearer {key}"}

    async def new_key(self, **terms: Any) -> dict[str, Any]:
        reply = await fetch(self.stage.url, "/admin/keys", terms, key=self.keys["operator"])
        assert reply.status == 201, reply.text
        made: dict[str, Any] = reply.json
        return made

    async def something_kept(self, path: str) -> dict[str, str]:
        """A conversation with an item and a response, which stay what they are until this path's test is at them."""
        me = Talker(self.stage, self.keys["owner"], OWNER.project)
        talk = await me.talk("やあ", "こんにちは")
        item = (await me.got("GET", f"{talk}/items"))["data"][0]["id"]
        response = me.keep(response=NewResponse(f"resp_{secrets.token_hex(16)}", {"model": "m", "status": "completed"}))
        found = me.read("SELECT id FROM responses WHERE conversation = ?", response.conversation.number)
        return {"conversation": talk, "item": item, "response": found, "after": talk if path == KEPT[0] else item}


@pytest.fixture(scope="module")
async def whole_surface() -> AsyncIterator[Surface]:
    others = {"llama": {"backend": "llamacpp"}, "ollama": {"backend": "ollama"}}
    safety = {"max_n": INT32, "allow_fields": sorted(RISKY_FIELDS)}
    async with scene(health=FORGIVING, others=others, safety=safety) as stage:
        told = (await fetch(stage.url, "/openapi.json")).json
        keys = {"owner": stage.key, "operator": stage.operators_key}
        surface = Surface(stage, schemathesis.openapi.from_dict(told), keys, {})
        limits = {"tokens_per_minute": 20_000, "strict": True}
        made = await surface.new_key(
            name="game", project=OWNER.project, models=["default", "scripted"], model_limits={"scripted": limits}
        )
        keys["caller"] = made["key"]
        surface.known.update(await surface.something_kept(""))
        surface.known.update(after=made["id"], model="scripted", path="index.html", call="nothing-under-way")
        yield surface


@pytest.fixture
async def surface(whole_surface: Surface) -> AsyncIterator[Surface]:
    async with whole_surface.stage.between_tests():
        whole_surface.stage.engine.script = well_behaved
        yield whole_surface


def well_behaved(request: Request) -> Script:
    """An engine that takes anything: a form is no JSON that could ask for a stream."""
    if request.headers.get("content-type", "").startswith("multipart/"):
        return answer({"text": "こんにちは"})
    return Chat()(request)


def check(case: AnyCase, reply: Response) -> None:
    """The answer is as the document says."""
    try:
        case.validate_response(reply, checks=CHECKS)
    except FailureGroup as found:  # no Exception: whatever runs the tests would end by it
        raise AssertionError(str(found)) from None


def put_what_exists(case: AnyCase, known: dict[str, str], key: str) -> None:
    """A name that somebody made up is found nowhere: here it is one that is there. `key` is what one signs in with."""
    case.path_parameters.update({name: known[name] for name in case.path_parameters if name in known})
    for fields in (case.body, case.query):
        if isinstance(fields, dict):
            fields.update({name: known[name] for name in ("model", "after", "conversation") if name in fields})
            if "previous_response_id" in fields:
                fields["previous_response_id"] = known["response"]
    if isinstance(case.body, dict) and "key" in case.body:
        case.body["key"] = key


@pytest.mark.property
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(each) for each in OPERATIONS])
async def test_whatever_is_sent_is_answered_as_the_document_says(surface: Surface, method: str, path: str) -> None:
    operation = surface.operation(method, path)
    count = FULL_EXAMPLES if examples(FULL_EXAMPLES) == FULL_EXAMPLES else QUICK_EXAMPLES
    fit = ["operator"] * 8 if path.startswith("/admin/") else ["owner", "caller"] * 2
    cases = st.one_of(operation.as_strategy(), operation.as_strategy(GenerationMode.NEGATIVE))

    seen: set[int] = set()
    known = dict(surface.known)
    if path.startswith(KEPT):
        known |= await surface.something_kept(path)
    if "{key}" in path:  # one that stays what it is until this test is at it
        known["key"] = (await surface.new_key(name=operation.label))["id"]

    @seed(0)
    @settings(max_examples=count, suppress_health_check=list(HealthCheck), deadline=None, database=None)
    @given(case=cases, whose=st.sampled_from((*WHOSE, *fit)), exists=st.booleans())
    def drive(case: AnyCase, whose: str, exists: bool) -> None:
        if exists:
            put_what_exists(case, known, surface.keys["caller"])
        reply = case.call(surface.stage.url, headers=surface.headers(whose), session=session, timeout=LAST_RESORT_S)
        assert reply.status_code < 500 or reply.status_code == NOT_OURS, reply.text
        check(case, reply)
        seen.add(reply.status_code)

    with requests.Session() as session:
        await anyio.to_thread.run_sync(drive)
    if count == FULL_EXAMPLES and (method, path) not in NEVER_THERE:
        assert seen & {200, 201, 204}, "nothing that was sent was any good: this shows little"


FAULTS: dict[str, Answer] = {
    "refused": error(400),
    "unprocessable": answer({"detail": "no"}, 422),
    "not there": answer({"detail": "Not Found"}, 404),
    "our key": error(401),
    "busy": error(429, headers={"retry-after": "3"}),
    "broken": error(500),
    "loading": error(503),
    "cut": CLOSE_BEFORE_HEADERS,
    "garbage": GARBAGE,
    "redirect": answer("", 302, headers={"location": "http://elsewhere.example/"}),
    "page": answer(b"<html>hello</html>", headers={"content-type": "text/html"}),
}
GOOD: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hi"}]},
    "/v1/completions": {"prompt": "hi"},
    "/generate_stream": {"prompt": "hi"},
    "/v1/messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5},
    "/v1/responses": {"input": "hi"},
    "/v1/embeddings": {"input": "hi"},
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("path", GOOD)
async def test_an_engines_fault_is_told_as_the_document_says(surface: Surface, path: str, fault: str) -> None:
    surface.stage.engine.script = FAULTS[fault]
    case = surface.operation("POST", path).Case(body=GOOD[path], media_type="application/json")

    def drive() -> int:
        reply = case.call(surface.stage.url, headers=surface.headers("owner"), timeout=LAST_RESORT_S)
        check(case, reply)
        return reply.status_code

    assert await anyio.to_thread.run_sync(drive) >= (200 if fault == "page" else 400)
